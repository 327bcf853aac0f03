"""However much a stranger puts into a field, a line of the log is short, and costs what it shows."""

import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from email_consumer.observe.bounds import MAX_FIELDS, MAX_ITEMS, MAX_LINE, MAX_TEXT, within_bounds
from email_consumer.observe.level import LogFilter
from email_consumer.observe.logging import configure


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def bounded(**fields: Any) -> dict[str, Any]:
    return dict(within_bounds(None, "", {"event": "x"} | fields))


def test_what_is_short_keeps_its_type() -> None:
    fields = {"a": 1, "b": 1.5, "c": True, "d": None, "e": "text", "f": [1, "two"], "g": {"h": 2}, "i": 2**70}
    assert bounded(**fields) == {"event": "x"} | fields


def test_a_long_text_is_cut_and_says_so() -> None:
    shown = bounded(reason="word " * 100_000)["reason"]
    assert shown.endswith("… (500000 characters)")
    assert len(shown) < MAX_TEXT + 100


def test_a_cut_leaves_no_half_of_an_address_that_could_not_be_masked() -> None:
    for filling in range(MAX_TEXT - 40, MAX_TEXT):
        shown = bounded(reason="x" * filling + " jane@mail.example.com " + "x" * 100)["reason"]
        assert "jane" not in shown or "jane@mail.example.com" in shown


def test_many_and_nested_values_are_counted_and_not_shown() -> None:
    nested: list[Any] = []
    for _ in range(100):
        nested = [nested]
    shown = bounded(many=list(range(1_000_000)), by_name={str(n): n for n in range(1_000)}, nested=nested)
    assert shown["many"] == [*range(MAX_ITEMS), f"… {1_000_000 - MAX_ITEMS} more"]
    assert shown["by_name"]["…"] == f"{1_000 - MAX_ITEMS} more"
    assert "… 1 values" in str(shown["nested"])


def test_a_number_that_no_reader_could_take_is_described() -> None:
    assert bounded(n=10**5_000)["n"] == "a number of 16610 bits"


def test_all_fields_together_have_a_limit() -> None:
    shown = bounded(**{f"field_{n}": "x" * MAX_TEXT for n in range(1_000)})
    assert shown["fields_left_out"] == 1_001 - MAX_FIELDS
    assert sum(len(str(value)) for value in shown.values()) < MAX_LINE + MAX_FIELDS * 100


def test_of_a_traceback_both_ends_are_kept(stream: io.StringIO) -> None:
    configure(LogFilter.parse("info"), "json", stream)
    try:
        os.environ["y" * 1_000_000 + " jane@example.com the end"]
    except KeyError:
        structlog.get_logger("ours").exception("x")
    [line] = map(json.loads, stream.getvalue().splitlines())
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("j***@example.com the end'")
    assert len(line["exception"]) < 11_000


@pytest.mark.parametrize("form", ["json", "human"])
@pytest.mark.parametrize("text", ["a@" * 75_000, "a" * 150_000, "a." * 75_000 + "@", "a@b.c" * 30_000, "@" * 150_000])
def test_texts_that_took_half_a_minute_to_mask_are_cut_first(text: str, form: Any, stream: io.StringIO) -> None:
    configure(LogFilter.parse("info"), form, stream)
    structlog.get_logger("ours").warning("x", error=text, texts=[text] * 1_000, **{text[:1_000]: text})
    assert len(stream.getvalue()) < 2 * MAX_LINE
