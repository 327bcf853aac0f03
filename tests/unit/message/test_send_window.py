"""Windows: what is read, and what is inside by the local clock, also where the clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_consumer.message.send_window import SendWindow

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"]
"""Lord Howe changes its clocks by half an hour, Kathmandu is 5:45 from UTC."""


def opening(window: str, zone: str, now: str) -> tuple[str, str]:
    """The present or next opening by the local clock; `now` with an offset."""
    found = SendWindow.parse(window).opening(ZoneInfo(zone), datetime.fromisoformat(now).timestamp())
    begin, end = (datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat() for moment in (found.begin, found.end))
    return begin, end


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("mon-fri 09:00-18:00", "mon,tue,wed,thu,fri 09:00-18:00"),
        ("sat-mon 22:00-06:00 Europe/Berlin", "mon,sat,sun 22:00-06:00 Europe/Berlin"),
        ("Mon,Wed 00:00-24:00", "mon,wed 00:00-24:00"),
        ("09:00-18:00", "mon,tue,wed,thu,fri,sat,sun 09:00-18:00"),
        ("always", "mon,tue,wed,thu,fri,sat,sun 00:00-24:00"),
        ({"days": ["mon"], "from": "09:00", "until": "18:00", "timezone": "Asia/Seoul"}, "mon 09:00-18:00 Asia/Seoul"),
        ({b"days": b"mon-tue", b"until": b"12:00"}, "mon,tue 00:00-12:00"),
        ({"from": "09:00"}, "mon,tue,wed,thu,fri,sat,sun 09:00-24:00"),
    ],
)
def test_it_is_read_from_text_and_from_a_map(value: object, read: str) -> None:
    window = SendWindow.parse(value)
    assert str(window) == read
    assert SendWindow.parse(read) == window


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("", "must be such as"),
        ("weekdays 09:00-18:00", "must have days"),
        ("mon 9-18", "must have times of day"),
        ("mon 09:00-25:00", "must have times of day"),
        ("mon 09:00-09:00", "empty"),
        ("mon 24:00-06:00", "empty"),
        ("mon 09:00-18:00 Mars/Olympus", "not a time zone"),
        ("mon 09:00-18:00 ../../etc/passwd", "not a time zone"),
        ("mon " * 100, "must be such as"),
        ({"day": "mon"}, "no other key"),
        ({"days": 5}, "must be text"),
        (5, "must be text"),
    ],
)
def test_what_is_no_window_is_refused(value: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SendWindow.parse(value)


def test_inside_the_opening_is_the_present_one_and_outside_the_next() -> None:
    week = "mon-fri 09:00-18:00"
    assert opening(week, "UTC", "2026-11-27T10:00+00:00") == ("2026-11-27T10:00:00+00:00", "2026-11-27T18:00:00+00:00")
    assert opening(week, "UTC", "2026-11-27T18:00+00:00") == ("2026-11-30T09:00:00+00:00", "2026-11-30T18:00:00+00:00")
    assert opening(week, "Asia/Seoul", "2026-11-27T00:30+00:00")[1] == "2026-11-27T18:00:00+09:00"


def test_one_that_runs_past_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = "fri 22:00-06:00"
    assert opening(night, "UTC", "2026-11-28T05:59+00:00")[1] == "2026-11-28T06:00:00+00:00"
    assert opening(night, "UTC", "2026-11-27T05:00+00:00") == ("2026-11-27T22:00:00+00:00", "2026-11-28T06:00:00+00:00")


def test_days_that_join_are_one_opening() -> None:
    found = opening("sat,sun 00:00-24:00", "UTC", "2026-11-27T12:00+00:00")
    assert found == ("2026-11-28T00:00:00+00:00", "2026-11-30T00:00:00+00:00")


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [
        # Berlin, 29 March 2026: at 02:00 the clocks are put forward to 03:00.
        ("sun 02:30-05:00", "2026-03-29T03:00:00+02:00", "2026-03-29T05:00:00+02:00"),
        ("sun 01:00-02:30", "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("sun 02:15-02:45", "2026-04-05T02:15:00+02:00", "2026-04-05T02:45:00+02:00"),
    ],
)
def test_an_hour_that_the_clocks_skip_does_not_exist(window: str, begin: str, end: str) -> None:
    assert opening(window, "Europe/Berlin", "2026-03-28T12:00+01:00") == (begin, end)


def test_an_opening_that_the_clocks_skip_is_missed_for_a_week() -> None:
    found = opening("sun 02:15-02:45", "Europe/Berlin", "2026-03-22T02:45+01:00")
    assert found == ("2026-04-05T02:15:00+02:00", "2026-04-05T02:45:00+02:00")


@pytest.mark.parametrize(
    ("window", "now", "begin", "end"),
    [
        # Berlin, 25 October 2026: at 03:00 the clocks are put back to 02:00.
        ("sun 02:00-03:00", "2026-10-24T12:00+02:00", "2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"),
        ("sun 01:00-02:30", "2026-10-24T12:00+02:00", "2026-10-25T01:00:00+02:00", "2026-10-25T02:30:00+02:00"),
        ("sun 01:00-02:30", "2026-10-25T02:40+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"),
        ("sun 02:30-04:00", "2026-10-25T02:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T04:00:00+01:00"),
    ],
)
def test_an_hour_that_the_clocks_repeat_counts_twice(window: str, now: str, begin: str, end: str) -> None:
    assert opening(window, "Europe/Berlin", now) == (begin, end)


_CLOCKS = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
_WINDOWS = st.builds(
    "{} {}-{}".format,
    st.sampled_from(["mon", "sun", "mon-fri", "sat,sun", "mon-sun"]),
    _CLOCKS,
    _CLOCKS | st.just("24:00"),
).filter(lambda text: text.split()[1].split("-")[0] != text.split("-")[-1])


@settings(max_examples=150)
@given(_WINDOWS, st.sampled_from(ZONES), st.integers(0, 2 * 365 * 24 * 60))
def test_over_months_the_next_opening_is_the_first_moment_inside(window: str, zone: str, minutes: int) -> None:
    """Compared with a look at the local clock in every quarter of an hour: in all zones they are changed at one."""
    rule, local = SendWindow.parse(window), ZoneInfo(zone)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    found = rule.opening(local, now.timestamp())
    begin, end = (datetime.fromtimestamp(moment, UTC) for moment in (found.begin, found.end))
    assert now <= begin < end
    assert rule.includes(begin.astimezone(local))
    moment = now
    while moment < begin:
        assert not rule.includes(moment.astimezone(local)), moment
        moment += timedelta(minutes=15)
    while moment < end:
        assert rule.includes(moment.astimezone(local)), moment
        moment += timedelta(minutes=15)
