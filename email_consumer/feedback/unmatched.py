"""Events whose mail is unknown: kept for a day, bounded, and applied once their mail becomes known.

They are frequent if SES also reports other programs' mail, and rare otherwise: when an identity notification (which has no
tags) arrives before SES's message id is recorded.
"""

import time
from collections.abc import Awaitable, Callable, Sequence

import aiosqlite
import orjson
import structlog

from email_consumer.feedback import statements
from email_consumer.feedback.application import Effects, apply_events, is_earlier
from email_consumer.feedback.event_reader import UnreadableEventError, read
from email_consumer.feedback.events import Event
from email_consumer.store.database import Database
from email_consumer.suppression.rows import SuppressionRows

TTL = 86_400.0
"""Seconds."""
MAX_EVENTS = 10_000
_LOG_INTERVAL = 3_600.0

_log = structlog.get_logger(__name__)


class UnmatchedEvents:
    """The table of that name."""

    def __init__(
        self,
        database: Database,
        rows: SuppressionRows,
        publish: Callable[[Effects], None],
        *,
        life: Callable[[str | None, str], Awaitable[int]],
        max_events: int = MAX_EVENTS,
    ) -> None:
        """`publish` is called with the effects of events that were applied later. `life`: see `Inbox`."""
        self._database = database
        self._rows = rows
        self._publish = publish
        self._life = life
        self._max_events = max_events
        self._dropped = 0
        self._logged_at = -_LOG_INTERVAL

    async def keep(self, connection: aiosqlite.Connection, events: Sequence[Event], now: float) -> None:
        """Store them, and drop the oldest beyond the limit."""
        kept = [(event.message_id, event.tag, now, event.raw) for event in events]
        await connection.executemany(statements.KEEP_UNMATCHED, kept)
        dropped = await connection.execute(statements.DROP_TOO_MANY_UNMATCHED, (self._max_events,))
        self._dropped += dropped.rowcount

    async def sweep(self) -> int:
        """Apply events whose mail has become known; returns their number."""
        ids = [
            row["id"]
            for row in await self._database.fetch(statements.FIND_MATCHABLE)
            if not is_earlier(row, await self._life(row["tag"], row["message_id"]))
        ]
        if not ids:
            return 0
        async with self._database.transaction() as connection:
            taken = await connection.execute_fetchall(statements.TAKE_UNMATCHED, (orjson.dumps(ids).decode(),))
            events = [event for row in taken if (event := _read_again(row["raw"], row["received_at"]))]
            effects = await apply_events(connection, events, self._rows, time.time())
        self._publish(effects)
        return len(events)

    async def expire(self, connection: aiosqlite.Connection, now: float) -> None:
        """Drop expired events, a few at a time."""
        dropped = await connection.execute(statements.DROP_OLD_UNMATCHED, (now - TTL,))
        self._dropped += dropped.rowcount
        if self._dropped and time.monotonic() - self._logged_at >= _LOG_INTERVAL:
            _log.warning(
                "events.unmatched_dropped",
                events=self._dropped,
                hint="they are about mail that this installation does not know: other programs' mail, if the SNS topic"
                " is shared with them, or mail of an older database",
            )
            self._dropped, self._logged_at = 0, time.monotonic()


def _read_again(raw: str, received_at: float) -> Event | None:
    try:
        event = read(raw, received_at)
    except UnreadableEventError:  # stored by a newer version; it was counted on arrival
        return None
    return event if isinstance(event, Event) else None
