"""How much happened, by time and lane, in space that does not grow: minutes for two days, then hours.

Triggers count the minutes (`migrations/040_activity.sql`); retention calls `fold`.
"""

from collections.abc import Sequence

import aiosqlite

from email_consumer.store.database import Database

COLUMNS = (
    "sent",
    "failed",
    "stopped",
    "delivered",
    "delayed",
    "bounced",
    "soft_bounced",
    "complained",
    "opened",
    "clicked",
)
"""What is counted, as in `activity_minutes`."""

_HOUR = 3_600
_MINUTES_KEPT = 49
"""Hours; what is shown by minutes is at most a day old."""
_HOURS_KEPT = 400 * 24
"""Hours; they contain no personal data, so RETENTION_DAYS does not matter."""

_NAMES = ", ".join(COLUMNS)
_SUMS = ", ".join(f"sum({column}) AS {column}" for column in COLUMNS)
_ADDED = ", ".join(f"{column} = {column} + excluded.{column}" for column in COLUMNS)

_MOVE = f"""
INSERT INTO activity_hours (hour, lane, {_NAMES})
SELECT minute / 60, lane, {_SUMS} FROM activity_minutes WHERE minute < :hour * 60 GROUP BY 1, 2
ON CONFLICT DO UPDATE SET {_ADDED}
"""  # noqa: S608 - constants
_MOVED = "DELETE FROM activity_minutes WHERE minute < :hour * 60"
_FORGET = "DELETE FROM activity_hours WHERE hour < :hour"

_BY_MINUTE = f"""
SELECT minute * 60 / :step * :step AS at, lane, {_SUMS} FROM activity_minutes
WHERE minute >= :since / 60 AND minute < :until / 60 GROUP BY 1, 2
"""  # noqa: S608 - constants
# Events that are reported late count in minutes that were moved already, until they are moved, too.
_BY_HOUR = f"""
SELECT hour * 3600 AS at, lane, {_NAMES} FROM activity_hours WHERE hour >= :since / 3600 AND hour < :until / 3600
UNION ALL
SELECT minute / 60 * 3600 AS at, lane, {_SUMS} FROM activity_minutes
WHERE minute >= :since / 60 AND minute < :until / 60 GROUP BY 1, 2
"""  # noqa: S608 - constants


async def fold(connection: aiosqlite.Connection, now: float) -> None:
    """Within a transaction: move old minutes into hours, and forget hours that are too old at `now` (Unix seconds)."""
    hour = int(now) // 3600
    await connection.execute(_MOVE, {"hour": hour - _MINUTES_KEPT})
    await connection.execute(_MOVED, {"hour": hour - _MINUTES_KEPT})
    await connection.execute(_FORGET, {"hour": hour - _HOURS_KEPT})


async def activity(database: Database, since: int, until: int, *, step: int) -> list[tuple[int, str, Sequence[int]]]:
    """Start (Unix seconds), lane and values of `COLUMNS`, in no order; the same start and lane may occur twice.

    Args:
        database: the store.
        since: Unix seconds, a multiple of `step`.
        until: as `since`.
        step: seconds that are summed up: minutes, which reach back two days, or an hour.
    """
    statement = _BY_MINUTE if step < _HOUR else _BY_HOUR
    rows = await database.fetch(statement, {"since": since, "until": until, "step": step})
    return [(row[0], row[1], row[2:]) for row in rows]
