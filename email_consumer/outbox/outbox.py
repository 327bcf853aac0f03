"""The rows of the outbox, and how far each of those who take events from it has got."""

import asyncio
import time
from dataclasses import dataclass, field
from sqlite3 import OperationalError

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.outbox import statements
from email_consumer.outbox.document import Pending, read_pending
from email_consumer.store.database import Database

_FORGET_EVERY = 1.0
"""Seconds between two deletions of rows that everybody has taken."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Cursor:
    """How far one of them has got."""

    seq: int = 0
    """Of the last event taken."""
    written: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after each commit."""


class Outbox:
    """A row stays until all cursors are past it."""

    def __init__(self, database: Database, origin: str, metrics: Metrics) -> None:
        """`origin` identifies the database, for the ids of events. `metrics`: get how many events wait."""
        self.database = database
        self.origin = origin
        self._metrics = metrics
        self._cursors: list[Cursor] = []
        self._forgotten = 0
        database.when_written = self._notify

    def cursor(self) -> Cursor:
        """One more. To be asked for before `run`."""
        cursor = Cursor()
        self._cursors.append(cursor)
        return cursor

    async def pending(self, after: int, limit: int) -> list[Pending]:
        """Rows after that number, in order; see `document`."""
        return read_pending(await self.database.fetch(statements.PENDING, (after, limit)))

    async def continue_after(self, seq: int) -> None:
        """Give no number up to `seq` to a new event."""
        async with self.database.transaction() as connection:
            await connection.execute(statements.CONTINUE_AFTER, {"seq": seq, "now": time.time()})

    async def last(self) -> int:
        """The last number that was given."""
        ((seq,),) = await self.database.fetch(statements.LAST)
        return int(seq)

    async def _last_waiting(self) -> int:
        ((seq,),) = await self.database.fetch(statements.LAST_WAITING)
        return int(seq)

    async def waiting(self) -> int:
        """Number of events that somebody has not taken yet."""
        ((count,),) = await self.database.fetch(statements.WAITING)
        return int(count)

    async def run(self) -> None:
        """Delete what everybody has taken, until cancelled."""
        while True:
            await asyncio.sleep(_FORGET_EVERY)
            taken = min(cursor.seq for cursor in self._cursors)
            try:
                self._metrics.events_waiting = max(0, await self._last_waiting() - taken)
                if taken > self._forgotten:
                    await self._forget(taken)
            except OperationalError as error:
                _log.debug("events.not_deleted", error=str(error))

    async def _forget(self, taken: int) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(statements.FORGET, (taken,))
            await connection.execute(statements.MARK_PUBLISHED, (taken,))
        self._forgotten = taken

    def _notify(self) -> None:
        for cursor in self._cursors:
            cursor.written.set()
