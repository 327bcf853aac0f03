"""Twice the text takes twice the steps, in everything of ours that goes through a text that a stranger wrote.

Counted are the lines of Python that run, so a busy machine changes nothing. What a pattern does within one of these lines
is judged in `test_patterns_are_linear`.
"""

import contextlib
import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from email_consumer.feedback import document
from email_consumer.message.address import normal_form, parse_address
from email_consumer.message.element_count import json_exceeds, packed_exceeds
from email_consumer.message.encoded_words import header_text
from email_consumer.message.list_unsubscribe import read_list_unsubscribe
from email_consumer.message.model import decode
from email_consumer.observe.bounds import within_bounds
from email_consumer.observe.console import ConsoleRenderer
from email_consumer.observe.masking import without_addresses
from email_consumer.observe.sentry import scrubbed
from email_consumer.runtime.visible import printable, printable_lines, without_login
from email_consumer.sources.jetstream.dead_letter import header_value
from email_consumer.store.mentions import json_mentions, mentions
from email_consumer.tracking.machines import is_machine
from email_consumer.tracking.open_tracking import with_pixel
from ses_sandbox.ses.address import bare_address

SIZE = 2_000
SLACK = 1.2

READERS: dict[str, Callable[[str], object]] = {
    "an address": parse_address,
    "its normal form": normal_form,
    "the sandbox's address": bare_address,
    "a log line, masked": lambda text: without_addresses(None, "", {"event": text, "many": [text, text]}),
    "a log line, cut": lambda text: within_bounds(
        None, "", {"event": text, "exception": text, text: [text] * len(text)}
    ),
    "a log line on a terminal": lambda text: ConsoleRenderer(colors=False)(None, "", {"event": text, "field": text}),
    "what Sentry gets": scrubbed,
    "what a terminal shows": lambda text: (printable(text), printable_lines(text), without_login(text)),
    "a dead letter's reason": header_value,
    "an unsubscribe link": read_list_unsubscribe,
    "a header": header_text,
    "a body with a pixel": lambda text: with_pixel(text, "https://example.com"),
    "a user agent": lambda text: is_machine("GET", {"User-Agent": text}),
    "a mention": lambda text: mentions(text, "jane@example.com"),
    "a mention in JSON": lambda text: json_mentions(text, "jane@example.com"),
    "an event": document.load,
    "JSON, counted": lambda text: json_exceeds(text.encode("utf-8", "surrogatepass"), 10**9),
    "MessagePack, counted": lambda text: packed_exceeds(text.encode("latin-1", "replace"), 10**9),
    "a message": lambda text: decode(text.encode("utf-8", "surrogatepass")),
}
PIECES = [
    *("a", " ", "@", ".", "<", ">", '"', "\\", ",", "(", "[", "{", "\n", "\x1b", "é", "\ud800", "\x80", "\x91", "\xdc\x00\x02"),
    *("a@", "@a", "a.", "a@b.", "a@b.co ", "jane@example.com", "jane@", "<a@b.co>", '"a" ', '\\"', "://", "://a@"),
    *("?a=", "Bearer ", "</body ", "</body>", "<mailto:a@b.co>,", ",https:", "=?utf-8?q?", "[[", '{"a":', '"a",', "٣"),
]  # fmt: skip


def steps(read: Callable[[str], object], text: str) -> int:
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # what other tests left behind has finalizers, whose lines would count
    sys.settrace(trace)
    try:
        with contextlib.suppress(Exception):
            read(text)
    finally:
        sys.settrace(before)
        gc.enable()
    return count


@pytest.mark.parametrize("name", READERS)
def test_twice_the_text_takes_twice_the_steps(name: str) -> None:
    read = READERS[name]
    read_once = contextlib.suppress(Exception)
    with read_once:
        read("warm up: what is compiled or cached at the first call is no step of the second")
    for piece in PIECES:
        once, twice = (steps(read, piece * (size // len(piece))) for size in (SIZE, 2 * SIZE))
        assert twice <= 2 * SLACK * once + 100, repr(piece)
        assert twice < 60 * SIZE, repr(piece)
