"""Times as users write them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import Timestamp

from email_consumer.message.times import from_unix, parse_time

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
        (" 2024-07-01 09:00:00 +0900 ", "2024-07-01T00:00:00"),
        ("2024-12-25T10:00:00.1234567Z", "2024-12-25T10:00:00.123456"),
        ("2024-12-25T10:00:00,5+01", "2024-12-25T09:00:00.500000"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("2017-01-01T08:59:60.5+09:00", "2017-01-01T00:00:00.500000"),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00"),
        ("1999-12-31T23:00:00-01:00", "2000-01-01T00:00:00"),
        ("9998-12-31T23:59:59.9999999Z", "9998-12-31T23:59:59.999999"),
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
    read = parse_time("2024-10-27 02:30:00", _BERLIN)
    assert read is not None
    assert read.astimezone(UTC) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


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
        "2024-12-25T10:00:00+24:00",
        "2024-12-25T10:00:00+99:99",
        "2024-12-25T10:00:61Z",
        "2024-12-25T10:00:00." + "0" * 100 + "Z",
        "٢٠٢٤-12-25T10:00:00Z",
        253402300799,
        1e300,
        float("nan"),
        "1735117200",
        b"\xff",
        1735117200,
        None,
    ],
)
def test_anything_else_is_refused_rather_than_sent_at_once(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(value)


@pytest.mark.parametrize(
    "value",
    [
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59.9999999",
        "9999-12-31T23:59:59.9999999-05:00",
        "9999-12-31t23:59:59z",
        "9999-01-01 00:00:00+09:00",
        "9998-12-31T23:59:59-05:00",
        "+275760-09-13T00:00:00.000Z",
        "+1000000000-12-31T23:59:59.999999999Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+09:00",
        "0001-01-01T00:00:00.0000000",
        "0000-12-31T19:03:58-04:56",
        "0000-00-00 00:00:00",
        Timestamp(-62135596800, 0),
        Timestamp(-62135596800 + 3600, 0),
        Timestamp(253402300799, 999_999_900),
        Timestamp(253402300800, 0),
        Timestamp(2**63 - 1, 0),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
    ],
)
def test_what_languages_write_for_never_and_for_nothing_is_not_set(value: object) -> None:
    assert parse_time(value, _BERLIN) is None
    if isinstance(value, str):
        assert parse_time(value.encode(), _BERLIN) is None


@pytest.mark.parametrize(
    "value",
    [
        "1999-12-31T23:59:59Z",
        "2000-01-01T00:00:00+00:01",
        "1970-01-01T00:00:00Z",
        "1900-01-01 00:00:00",
        "0001-01-02T00:00:00Z",
        "-0044-03-15T12:00:00Z",
        Timestamp(0, 0),
        Timestamp(-62135596801, 0),
        Timestamp(-(2**63), 0),
        datetime(1969, 12, 31, tzinfo=UTC),
    ],
)
def test_any_other_time_before_the_year_2000_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is before the year 2000"):
        parse_time(value)


@given(
    st.datetimes(timezones=st.timezones() | st.just(UTC)),
    st.sampled_from([str, datetime.isoformat, lambda time: time, datetime.timestamp]),
)
def test_whatever_is_taken_every_later_place_can_hold(time: datetime, form: Callable[[datetime], object]) -> None:
    try:
        read = parse_time(form(time))
    except (ValueError, OverflowError):
        return
    if read is not None:
        assert from_unix(read.timestamp()) - read < timedelta(milliseconds=1)
        for offset in (-14, 14):
            assert parse_time(read.astimezone(timezone(timedelta(hours=offset))).isoformat()) == read


@pytest.mark.parametrize("seconds", [float("inf"), 1e300, 253402300800.0])
def test_stored_seconds_beyond_the_calendar_are_its_end(seconds: float) -> None:
    assert from_unix(seconds).isoformat() == "9999-12-31T23:59:59+00:00"


@pytest.mark.parametrize("seconds", [float("-inf"), -1e300, -62135596801.0])
def test_stored_seconds_before_the_calendar_are_its_beginning(seconds: float) -> None:
    assert from_unix(seconds).isoformat() == "0001-01-01T00:00:00+00:00"


def test_stored_seconds_keep_their_fraction() -> None:
    assert from_unix(1735117200.25) == datetime(2024, 12, 25, 9, 0, 0, 250_000, tzinfo=UTC)
