"""Events whose mail isn't known (yet): kept for a day, bounded, applied when their mail turns up.

They are the rule where SES tells of mail that other programs send, and the exception where an identity's notification
(which carries no tags) is faster than our own note of SES's message id.
"""

import time
from collections.abc import Callable, Sequence

import aiosqlite
import orjson
import structlog

from email_consumer.feedback import statements
from email_consumer.feedback.application import Effects, apply_events
from email_consumer.feedback.event_reader import UnreadableEventError, read
from email_consumer.feedback.events import Event
from email_consumer.store.database import Database
from email_consumer.suppression.rows import SuppressionRows

TTL = 86_400.0
"""Seconds."""
MOST = 10_000
_TELL_EVERY = 3_600.0

_log = structlog.get_logger(__name__)


class UnmatchedEvents:
    """The table of that name."""

    def __init__(
        self, database: Database, rows: SuppressionRows, tell: Callable[[Effects], None], *, most: int = MOST
    ) -> None:
        """`tell` hears what became true when kept events were applied after all."""
        self._database = database
        self._rows = rows
        self._tell = tell
        self._most = most
        self._dropped = 0
        self._told_at = -_TELL_EVERY

    async def keep(self, connection: aiosqlite.Connection, events: Sequence[Event], now: float) -> None:
        """Keep them, and drop the oldest of too many."""
        kept = [(event.message_id, event.tag, now, event.raw) for event in events]
        await connection.executemany(statements.KEEP_UNMATCHED, kept)
        dropped = await connection.execute(statements.DROP_TOO_MANY_UNMATCHED, (self._most,))
        self._dropped += dropped.rowcount

    async def sweep(self) -> int:
        """Apply those whose mail has turned up since; how many."""
        ids = [row["id"] for row in await self._database.fetch(statements.FIND_MATCHABLE)]
        if not ids:
            return 0
        async with self._database.transaction() as connection:
            taken = await connection.execute_fetchall(statements.TAKE_UNMATCHED, (orjson.dumps(ids).decode(),))
            events = [event for row in taken if (event := _read_again(row["raw"], row["received_at"]))]
            effects = await apply_events(connection, events, self._rows, time.time())
        self._tell(effects)
        return len(events)

    async def expire(self, connection: aiosqlite.Connection, now: float) -> None:
        """Drop what waited for too long, a few at a time."""
        dropped = await connection.execute(statements.DROP_OLD_UNMATCHED, (now - TTL,))
        self._dropped += dropped.rowcount
        if self._dropped and time.monotonic() - self._told_at >= _TELL_EVERY:
            _log.warning(
                "events.unmatched_dropped",
                events=self._dropped,
                hint="they are about mail that this installation does not know: other programs' mail, if the SNS topic"
                " is shared with them, or mail of an older database",
            )
            self._dropped, self._told_at = 0, time.monotonic()


def _read_again(raw: str, received_at: float) -> Event | None:
    try:
        event = read(raw, received_at)
    except UnreadableEventError:  # kept by a version that understood more; it was counted when it came
        return None
    return event if isinstance(event, Event) else None
