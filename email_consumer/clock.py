"""Times as users write them: RFC 3339 with an offset, or naive and then read in `TIMEZONE`."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[T t]\d\d:\d\d.*")


def parse_time(value: object, zone: tzinfo = UTC) -> datetime:
    """A time in UTC. Unix seconds are not taken: a number could be milliseconds as well.

    Raises:
        ValueError: it is not a time; sending at once because of it would be wrong.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str) and _DATE_AND_TIME.fullmatch(value):
        value = datetime.fromisoformat(value.replace("z", "Z").replace("t", "T"))
    if not isinstance(value, datetime):
        raise ValueError("is not a time such as 2024-12-25T10:00:00+09:00 or 2024-01-01 09:00:00")  # noqa: TRY004
    try:
        return (value if value.tzinfo else _in_zone(value, zone)).astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _in_zone(naive: datetime, zone: tzinfo) -> datetime:
    aware = naive.replace(tzinfo=zone)
    if aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive and isinstance(zone, ZoneInfo):
        raise ValueError(f"does not exist in {zone.key}: the clocks were put forward over it")
    return aware
