"""Genuine events with one oddity in each possible place: what the other fields say is taken, nothing is ever a crash."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from email_consumer.feedback.event_reader import UnreadableEventError, read
from email_consumer.feedback.events import Event, Kind
from tests.unit.feedback.examples import NAMES, example

SENT_AT = 1_700_000_000.0
Path = tuple[str | int, ...]

ODD: dict[str, str] = {
    "null": "null",
    "number": "7",
    "fraction": "1e999",
    "long number": "1" * 6_000,
    "no number": "NaN",
    "infinite": "-Infinity",
    "yes": "true",
    "text": '"text"',
    "empty": '""',
    "half a character": '"\\ud800 550 5.1.1 \\udfff"',
    "zero character": '"\\u0000@example.com"',
    "long text": json.dumps("x" * 10_000),
    "list": "[]",
    "nested list": "[[[1]]]",
    "list of oddities": '[null, 1, "a", {"emailAddress": 5}, {"name": []}]',
    "object": "{}",
    "deep list": "[" * 500 + "]" * 500,
    "deep object": '{"a":' * 500 + "1" + "}" * 500,
}
_MARK = "put the oddity here"


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Of everything in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def with_oddity(document: Any, path: Path, odd: str) -> str:
    changed = deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = _MARK
    return json.dumps(changed).replace(f'"{_MARK}"', odd)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", NAMES)
def test_an_oddity_anywhere_is_no_crash_and_can_be_kept(name: str, odd: str) -> None:
    document = json.loads(example(name))
    plain = read(example(name), SENT_AT)
    assert isinstance(plain, Event)
    for path in places(document):
        message = with_oddity(document, path, odd)
        try:
            found = read(message, SENT_AT)
        except UnreadableEventError:
            assert path[-1] in {"eventType", "notificationType"}
            continue
        assert isinstance(found, Event), path
        if path[0] in {"eventType", "notificationType"}:
            continue
        assert found.kind == plain.kind
        if path[0] != "mail":
            assert (found.message_id, found.tag) == (plain.message_id, plain.tag)
        if (
            path[0] == "mail"
            and isinstance(plain.kind, Kind)
            and plain.kind in {Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY}
        ):
            assert found.recipients == plain.recipients, path
        assert all(
            len(fact.recipient) <= 320 and len(fact.detail) <= 2_001 and len(fact.diagnostic) <= 1_000
            for fact in found.recipients
        )
        assert read(found.raw, SENT_AT) == found, "it may be kept and read again"
        found.raw.encode()


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_new_field_may_hold_anything(odd: str) -> None:
    bounce = example("event_bounce")
    plain = read(bounce, SENT_AT)
    found = read(f'{{"new": {odd}, ' + bounce.lstrip()[1:], SENT_AT)
    assert isinstance(found, Event)
    assert isinstance(plain, Event)
    assert found.recipients == plain.recipients


def test_of_a_key_that_is_given_twice_the_last_one_counts() -> None:
    found = read('{"eventType": "Send", "eventType": "Bounce", "mail": {"messageId": "a", "messageId": "b"}}', SENT_AT)
    assert isinstance(found, Event)
    assert (found.kind, found.message_id) == (Kind.BOUNCE, "b")


def test_no_event_is_later_than_its_report() -> None:
    for moment in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2024-01-01T00:00:00", "never"):
        found = read(json.dumps({"eventType": "Send", "mail": {"messageId": "m", "timestamp": moment}}), SENT_AT)
        assert isinstance(found, Event)
        assert found.happened_at == SENT_AT
