"""Deletes events out that wait too long or in too great a number, and old deliveries of webhooks.

What nobody takes must not fill the disk: JetStream may refuse events for weeks, and an endpoint may be disabled for good.
"""

import time

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.duty_cycle import rest
from email_consumer.store.database import Database
from email_consumer.store.sweeps import SHARE, keep_sweeping

_MOST = 1_000_000
"""Rows that each of the two tables may have: a few hundred megabytes."""
_LEAST = 300.0
"""Seconds for which they are kept in any case: the outbox keeps events a while after everybody has taken them."""
_INTERVAL = 60.0
_BATCH = 1_000

# Numbers have no gaps. The last event stays: the next number is counted from it. One that everybody has taken is empty.
_OUTBOX = """
DELETE FROM outbox WHERE seq IN (
    SELECT seq FROM (SELECT seq, at FROM outbox ORDER BY seq LIMIT :batch)
    WHERE at < :cutoff OR seq <= (SELECT max(seq) FROM outbox) - :most
) AND seq < (SELECT max(seq) FROM outbox) RETURNING type <> '' AS lost
"""
# Those of a removed endpoint leave a gap, so they are counted once there may be too many.
_DELIVERIES = """
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM (SELECT id, created_at FROM webhook_deliveries ORDER BY id LIMIT :batch)
    WHERE created_at < :cutoff OR (
        id <= (SELECT max(id) FROM webhook_deliveries) - :most AND (SELECT count(*) FROM webhook_deliveries) > :most
    )
) RETURNING next_at IS NOT NULL AS lost
"""

_log = structlog.get_logger(__name__)


class EventRetention:
    """A background service."""

    def __init__(
        self, database: Database, keep: float, metrics: Metrics, *, most: int = _MOST, interval: float = _INTERVAL
    ) -> None:
        """`keep`: seconds for which events and deliveries are kept; `interval`: seconds between two sweeps."""
        self._database = database
        self._keep = max(keep, _LEAST)
        self._metrics = metrics
        self._most = most
        self._interval = interval

    async def run(self) -> None:
        """Sweep regularly, until cancelled."""
        await keep_sweeping(self.sweep, self._interval)

    async def sweep(self, now: float) -> None:
        """Delete what is too old at `now` (Unix seconds), and the oldest of what is too much.

        Raises:
            sqlite3.OperationalError: the file accepts no writes at present; what was deleted so far stays deleted.
        """
        for where, statement in (("outbox", _OUTBOX), ("webhook", _DELIVERIES)):
            lost = await self._delete(statement, now - self._keep)
            self._metrics.events_dropped[where] += lost
            if lost:
                hint = "nobody took them: JetStream accepts no events, or an endpoint is disabled or too slow"
                _log.error("events.dropped", where=where, events=lost, hint=hint)

    async def _delete(self, statement: str, cutoff: float) -> int:
        """Returns how many of them still waited."""
        lost, deleted = 0, _BATCH
        while deleted == _BATCH:
            began = time.monotonic()
            async with self._database.transaction() as connection:
                parameters = {"cutoff": cutoff, "most": self._most, "batch": _BATCH}
                rows = list(await connection.execute_fetchall(statement, parameters))
            deleted, lost = len(rows), lost + sum(row["lost"] for row in rows)
            await rest(began, SHARE)
        return lost
