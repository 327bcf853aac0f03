"""Days of UTC in reports, counted as in the tables: Unix time / 86400."""

import time
from datetime import UTC, datetime

_DAY = 86_400


def first_of(days: int) -> int:
    """The first day of a report over `days`, of which today is the last."""
    return int(time.time()) // _DAY - days + 1


def date_of(day: int) -> str:
    """Such as 2026-11-28."""
    return datetime.fromtimestamp(day * _DAY, UTC).date().isoformat()
