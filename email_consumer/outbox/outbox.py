"""The rows of the outbox, and how far each of those who take events from it has got."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from sqlite3 import OperationalError

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.outbox import statements
from email_consumer.outbox.document import Pending, read_pending
from email_consumer.runtime.ticks import until_tick
from email_consumer.store.database import Database

_FORGET_EVERY = 1.0
"""Seconds between two deletions of rows that everybody has taken."""
_KEPT = 150.0
"""Seconds for which they stay nevertheless: a nats-server that ends in the wrong moment loses what it has acknowledged, up to
`sync_interval` (2 minutes) of it where its machine goes down, too; however long it is away then."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Cursor:
    """How far one of them has got."""

    seq: int = 0
    """Of the last event taken."""
    written: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after each commit."""
    certain: Callable[[], bool] = lambda: True
    """Whether nothing can have happened to what was taken. Until it can't, all events stay."""


class Outbox:
    """A row stays until all cursors are past it, and a while longer."""

    def __init__(self, database: Database, origin: str, metrics: Metrics, kept: float = _KEPT) -> None:
        """Without cursors.

        Args:
            database: it is a table of.
            origin: identifies the database, for the ids of events.
            metrics: get how many events wait.
            kept: seconds for which an event stays after everybody has taken it.
        """
        self.database = database
        self.origin = origin
        self._metrics = metrics
        self._kept = kept
        self._cursors: list[Cursor] = []
        self._taken: deque[tuple[float, int]] = deque()
        """How far all had got, and when (monotonic clock), as long as that can't be forgotten yet."""
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

    async def waiting(self, after: int) -> int:
        """Number of events after that one."""
        ((count,),) = await self.database.fetch(statements.WAITING, (after,))
        return int(count)

    async def run(self) -> None:
        """Delete what everybody has taken, until cancelled."""
        while True:
            await asyncio.sleep(until_tick(_FORGET_EVERY))
            taken = min(cursor.seq for cursor in self._cursors)
            while self._taken and self._taken[-1][1] > taken:  # it is to be taken again
                self._taken.pop()
            if taken and (not self._taken or taken > self._taken[-1][1]):
                self._taken.append((time.monotonic(), taken))
            try:
                self._metrics.events_waiting = max(0, await self._last_waiting() - taken)
                if all(cursor.certain() for cursor in self._cursors):
                    await self._forget(time.monotonic() - self._kept)
            except OperationalError as error:
                _log.debug("events.not_deleted", error=str(error))

    async def _forget(self, until: float) -> None:
        """What everybody had taken by then (monotonic clock)."""
        while len(self._taken) > 1 and self._taken[1][0] <= until:
            self._taken.popleft()
        if not self._taken or self._taken[0][0] > until:
            return
        taken = self._taken[0][1]
        async with self.database.transaction() as connection:
            await connection.execute(statements.FORGET, (taken,))
            await connection.execute(statements.MARK_PUBLISHED, (taken,))
        self._taken.popleft()

    def _notify(self) -> None:
        for cursor in self._cursors:
            cursor.written.set()
