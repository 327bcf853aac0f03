"""Times as users write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from email_consumer.clock import parse_time

_BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "in_utc"),
    [
        ("2024-12-25T10:00:00+09:00", "2024-12-25T01:00:00"),
        ("2024-12-25T10:00:00Z", "2024-12-25T10:00:00"),
        ("2024-12-25t10:00:00z", "2024-12-25T10:00:00"),
        ("2024-12-25 10:00:00.25-02:30", "2024-12-25T12:30:00.250000"),
        ("2024-12-25T10:00", "2024-12-25T09:00:00"),
        ("2024-07-01 09:00:00", "2024-07-01T07:00:00"),
    ],
)
def test_an_offset_counts_and_a_naive_time_is_of_the_zone(text: str, in_utc: str) -> None:
    assert parse_time(text, _BERLIN) == datetime.fromisoformat(in_utc).replace(tzinfo=UTC)
    assert parse_time(text.encode(), _BERLIN) == parse_time(text, _BERLIN)


def test_datetimes_pass() -> None:
    aware = datetime(2024, 1, 1, tzinfo=UTC)
    assert parse_time(aware) is aware
    assert parse_time(datetime(2024, 1, 1), _BERLIN) == datetime(2023, 12, 31, 23, tzinfo=UTC)  # noqa: DTZ001 - the point


def test_a_time_that_the_clocks_skipped_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exist in Europe/Berlin"):
        parse_time("2024-03-31 02:30:00", _BERLIN)


def test_of_a_time_that_came_twice_the_first_is_meant() -> None:
    # Python never calls such a time equal to one of another zone, so both are brought into one.
    assert parse_time("2024-10-27 02:30:00", _BERLIN).astimezone(UTC) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "tomorrow",
        "2024-12-25",
        "10:00",
        "20241225T100000Z",
        "2024-W52-3T10:00:00",
        "2024-13-01T00:00:00Z",
        "2024-12-25T25:00:00Z",
        "2024-12-25T10:00:00 Europe/Berlin",
        "1735117200",
        b"\xff",
        1735117200,
        None,
    ],
)
def test_anything_else_is_refused_rather_than_sent_at_once(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(value)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+09:00"])
def test_a_time_that_no_clock_reaches_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        parse_time(text)
