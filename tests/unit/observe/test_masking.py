"""No line of the log holds a whole address, in either form."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from email_consumer.observe.level import LogFilter
from email_consumer.observe.logging import configure
from email_consumer.observe.masking import masked, without_addresses

FORMS = pytest.mark.parametrize("form", ["json", "human"])
Form = Literal["json", "human"]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("address", "shown"),
    [("jane@example.com", "j***@example.com"), ("@example.com", "***@example.com"), ("no address", "***"), ("", "***")],
)
def test_masked(address: str, shown: str) -> None:
    assert masked(address) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Address not verified: jane.doe+x@mail.example.com, joe@b.de.", "Address not verified: j***@mail.example.com, j***@b.de."),
        ("Jane <jane@example.com>", "Jane <j***@example.com>"),
        ("mailto:jane@example.com?subject=x", "mailto:j***@example.com?subject=x"),
        ("no-reply@localhost", "n***@localhost"),
        ("jürgen@münchen.de", "j***@münchen.de"),
        ("email-consumer@1.2.0", "email-consumer@1.2.0"),
        ("@everyone, 5 @ 3", "@everyone, 5 @ 3"),
        ("arn:aws:sns:eu-west-1:123456789012:mail", "arn:aws:sns:eu-west-1:123456789012:mail"),
    ],
)  # fmt: skip
def test_addresses_in_text(text: str, shown: str) -> None:
    assert without_addresses(None, "", {"event": text}) == {"event": shown}


@FORMS
def test_wherever_the_address_is(form: Form, stream: io.StringIO) -> None:
    configure(LogFilter.parse("debug"), form, stream)
    log = structlog.get_logger("ours")
    log.info("x", reason="550 jane@example.com", error=ValueError("jane@example.com"), many=["jane@example.com"])
    log.debug("x", nested={"to": ("jane@example.com",)})
    logging.getLogger("theirs").warning("for %s", "jane@example.com", extra={"peer": "jane@example.com"})
    try:
        int("jane@example.com")
    except ValueError:
        log.exception("x")
        logging.getLogger("theirs").exception("x")
    assert "jane@" not in stream.getvalue()
    assert stream.getvalue().count("j***@example.com") >= 8


def test_everything_else_stays_as_it_is(stream: io.StringIO) -> None:
    configure(LogFilter.parse("info"), "json", stream)
    fields = {"a": 1, "b": 1.5, "c": True, "d": None, "e": "text", "f": [1, "two"], "g": {"h": 2}}
    structlog.get_logger("ours").info("x", **fields)
    line = json.loads(stream.getvalue())
    assert {name: line[name] for name in fields} == fields
