"""Times as users write them: RFC 3339 with an offset, or naive and then read in `TIMEZONE`.

What languages write for a time that was never set, or never comes, means "not set" here. All other times are within
what every later place can hold.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgpack import Timestamp

_MAX_LENGTH = 64
_TEXT = re.compile(
    r"(?P<date>(?P<year>[+-]?[0-9]{4,12})-[0-9]{2}-[0-9]{2})[T ]"
    r"(?P<clock>[0-9]{2}:[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    r" ?(?P<offset>Z|(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-5][0-9]))?)?",
    re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_NEVER = 9999
"""From this year on no time is meant: it is the last of .NET's and SQL's, and some write later ones for infinity."""
_ZERO = date(1, 1, 1)
"""The day of the zero time of Go and C#. With an offset to the west it is in the year 0, like MySQL's."""
_LEAP_SECOND = 60
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC, microsecond=0)


def parse_time(value: object, zone: tzinfo = UTC) -> datetime | None:
    """A time in UTC, from the year 2000 to 9998; None if the value means "not set".

    Unix seconds are not taken: a number could be milliseconds as well.

    Raises:
        ValueError: it is not a time; sending at once because of it would be wrong.
    """
    match value:
        case bytes() if len(value) <= _MAX_LENGTH:
            return _of_text(value.decode(), zone)
        case str() if len(value) <= _MAX_LENGTH:
            return _of_text(value, zone)
        case Timestamp():
            return _of_timestamp(value)
        case datetime():
            return _of_datetime(value, zone)
    raise _not_a_time()


def from_unix(seconds: float) -> datetime:
    """A time that was stored as Unix seconds, or the nearest one that the calendar has."""
    if seconds >= _LAST.timestamp():
        return _LAST
    return _EPOCH + timedelta(seconds=max(seconds, _FIRST.timestamp()))


def _of_text(text: str, zone: tzinfo) -> datetime | None:
    found = _TEXT.fullmatch(text.strip())
    if not found:
        raise _not_a_time()
    year = int(found["year"])
    if year == 0 or year >= _NEVER:
        return None
    if year < 0:
        raise _too_early()
    leaps = int(found["second"] or 0) == _LEAP_SECOND
    second = "59" if leaps else found["second"] or "00"
    try:
        naive = datetime.fromisoformat(f"{year:04}{found['date'][-6:]} {found['clock']}:{second}.{_micros(found)}")
    except ValueError:
        raise _not_a_time() from None
    naive += timedelta(seconds=leaps)
    return _of_datetime(naive.replace(tzinfo=_offset(found)), zone)


def _micros(found: re.Match[str]) -> str:
    return (found["fraction"] or "").ljust(6, "0")[:6]


def _offset(found: re.Match[str]) -> timezone | None:
    if not found["hours"]:
        return UTC if found["offset"] else None
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    if offset >= timedelta(days=1):
        raise _not_a_time()
    return timezone(-offset if found["sign"] == "-" else offset)


def _of_timestamp(value: Timestamp) -> datetime | None:
    """MessagePack's own kind of time, which reaches beyond the calendar."""
    if value.seconds >= _LAST.timestamp():
        return None
    if value.seconds < _FIRST.timestamp():
        raise _too_early()
    return _of_datetime(_EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanoseconds // 1000), UTC)


def _of_datetime(time: datetime, zone: tzinfo) -> datetime | None:
    if time.year >= _NEVER or time.date() == _ZERO:
        return None
    if time.year < _EARLIEST.year - 1:  # at the beginning of the calendar an offset could lead out of it
        raise _too_early()
    in_utc = (time if time.tzinfo else _in_zone(time, zone)).astimezone(UTC)
    if in_utc < _EARLIEST:
        raise _too_early()
    return in_utc if in_utc.year < _NEVER else None


def _in_zone(naive: datetime, zone: tzinfo) -> datetime:
    aware = naive.replace(tzinfo=zone)
    if aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive and isinstance(zone, ZoneInfo):
        raise ValueError(f"does not exist in {zone.key}: the clocks were put forward over it")
    return aware


def _not_a_time() -> ValueError:
    return ValueError("is not a time such as 2024-12-25T10:00:00+09:00 or 2024-01-01 09:00:00")


def _too_early() -> ValueError:
    return ValueError("is before the year 2000")


def rfc3339(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC with milliseconds."""
    if not 0 <= seconds < _LAST.timestamp():
        return from_unix(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    whole = int(seconds)
    carried, micros = divmod(round((seconds - whole) * 1_000_000), 1_000_000)
    return f"{_to_the_second(whole + carried)}.{micros // 1_000:03}Z"


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds").removesuffix("+00:00")
