"""What is due to an endpoint, read from the table in batches."""

import time
from collections import deque
from math import inf
from sqlite3 import Row

import orjson

from email_consumer.store.database import Database
from email_consumer.webhooks import statements

MOST = 512
"""Deliveries of an endpoint in memory: read, being attempted, or with a result that is not committed. After a kill they are repeated."""
_AHEAD = 16
"""Deliveries that are read for each request that may be under way."""
_STALE = 1.0
"""Seconds for which what was read is used: it may have been deleted meanwhile, by an erasure."""
_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 60.0


class DueDeliveries:
    """Hands out each delivery once, until it is released."""

    def __init__(self, database: Database, endpoint_id: str) -> None:
        self._database = database
        self._endpoint_id = endpoint_id
        self._ready = deque[tuple[float, Row]]()
        """With the time of the read, by the monotonic clock."""
        self._taken = set[int]()
        """Ids of those in memory."""
        self._more = True
        """Whether the table may have more that is due."""
        self._next_at = inf
        """When something else becomes due, in Unix seconds."""

    def announce(self) -> None:
        """The table has more that is due."""
        self._more = True

    def take(self) -> Row | None:
        """The next one, to be released or put back; None: nothing that is due was read."""
        while self._ready:
            read_at, row = self._ready.popleft()
            if time.monotonic() - read_at <= _STALE:
                return row
            self.put_back(row["id"])
        return None

    def release(self, delivery_id: int, next_at: float | None) -> None:
        """The table knows what became of it. `next_at`: when it is due again, in Unix seconds."""
        self._taken.discard(delivery_id)
        self._next_at = min(self._next_at, next_at or inf)

    def put_back(self, delivery_id: int) -> None:
        """It is as the table says, maybe due."""
        self._taken.discard(delivery_id)
        self._more = True

    def wanting(self, at_once: int) -> bool:
        """Whether `read` would read, where `at_once` requests may be under way."""
        ahead = at_once * _AHEAD
        more = self._more or self._next_at <= time.time()
        return more and len(self._ready) <= ahead // 2 and len(self._taken) + ahead <= MOST

    async def read(self, at_once: int) -> float:
        """Read on if it is time to; returns the seconds until it may be time again, if nothing is announced or released.

        Raises:
            sqlite3.Error: the file can't be read now.
        """
        if self.wanting(at_once):
            now = time.time()
            self._more, self._next_at = False, inf  # what is announced or released from here on counts the next time
            try:
                await self._read(now, at_once * _AHEAD)
            except BaseException:
                self._more = True
                raise
        return min(max(_SHORTEST_WAIT, self._next_at - time.time()), _LONGEST_WAIT)

    async def _read(self, now: float, limit: int) -> None:
        parameters = {
            "endpoint": self._endpoint_id,
            "now": now,
            "limit": limit,
            "excluded": orjson.dumps([*self._taken]).decode(),
        }
        rows = await self._database.fetch(statements.DUE, parameters)
        read_at = time.monotonic()  # the end of the read: however long it takes, something is sent
        self._ready.extend((read_at, row) for row in rows)
        self._taken.update(row["id"] for row in rows)
        if len(rows) == limit:
            self._more = True
            return
        ((next_at,),) = await self._database.fetch(statements.NEXT_DUE, (self._endpoint_id, now))
        self._next_at = min(self._next_at, next_at or inf)
