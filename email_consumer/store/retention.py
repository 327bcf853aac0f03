"""Deletes finished mail after RETENTION_DAYS, a few rows at a time between other writes.

Its attempts, results, sums and unused contents are deleted, too. Unfinished mail stays, however old. (The inbox cleans up its
own tables; for events out see `event_retention.py`.)
"""

import sqlite3
import time
from collections.abc import Sequence

import aiosqlite
import orjson
import structlog

from email_consumer.runtime.duty_cycle import rest
from email_consumer.store import domain_days, tenant_days
from email_consumer.store.activity import fold
from email_consumer.store.database import Database
from email_consumer.store.status import Status
from email_consumer.store.sweeps import SHARE, keep_sweeping

_LONGEST_INTERVAL = 3_600.0
"""Seconds between two sweeps: mail is kept for a tenth longer than it has to be, or for an hour."""
_BATCH = 200
"""Mails per transaction, which takes a few milliseconds."""
_PAGES_BATCH = 250
_FREE_SHARE = 0.1
"""Share of free pages in the file that is left for future mail."""

# What somebody else wrote, such as a script or an earlier program, may be finished at no known time.
_FINISHED_AT = "coalesce(finished_at, updated_at)"
# Ordered by id, which is the order of creation: after the first mail created after the cutoff, all others were, too.
_NEXT = f"""
SELECT id, status, created_at, {_FINISHED_AT} AS finished_at FROM email_requests WHERE id > ? ORDER BY id LIMIT ?
"""  # noqa: S608 - a constant

# Recipients that the sums of topics may have to drop.
_COUNTED = """
SELECT DISTINCT topic_id, result.status AS status, machine, recipient
FROM email_results AS result JOIN email_requests AS request ON request.id = request_id
WHERE request_id IN (SELECT value FROM json_each(?)) AND topic_id IS NOT NULL
"""
# Checked again: a replay may have reopened a mail.
_DELETE = f"""
DELETE FROM email_requests
WHERE id IN (SELECT value FROM json_each(?)) AND status >= {Status.SENT} AND {_FINISHED_AT} < ? RETURNING content_id, topic_id
"""  # noqa: S608 - constants
_DISCOUNT = """
DELETE FROM topic_recipients
WHERE topic_id = :topic_id AND recipient = :recipient AND kind = iif(:machine, 'Machine', '') || :status AND NOT EXISTS (
    SELECT 1 FROM email_results AS result JOIN email_requests AS request ON request.id = request_id
    WHERE recipient = :recipient AND result.status = :status AND machine = :machine AND topic_id = :topic_id
)
"""
_DELETE_CONTENTS = """
DELETE FROM email_contents
WHERE id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM email_requests WHERE content_id = email_contents.id)
"""
_EMPTY_SUMS = (
    "DELETE FROM topic_counts WHERE count = 0 AND topic_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM topic_results WHERE count = 0 AND topic_id IN (SELECT value FROM json_each(?))",
)
_OLD_MINUTES = "DELETE FROM topic_minutes WHERE topic_id IN (SELECT value FROM json_each(?)) AND minute < ?"
_OTHER_TABLES = (
    # There may have been one for each topic.
    "DELETE FROM holds WHERE ended_at < :cutoff",
    """
    DELETE FROM canaries
    WHERE since < :cutoff AND NOT EXISTS (SELECT 1 FROM topics WHERE topics.topic_id = canaries.topic_id)
    """,
    "DELETE FROM sent_minutes WHERE minute IN (SELECT minute FROM sent_minutes WHERE minute < :cutoff / 60 LIMIT 1000)",
    """
    DELETE FROM idempotency_keys
    WHERE key IN (SELECT key FROM idempotency_keys WHERE created_at < :cutoff LIMIT 1000)
    """,
    "DELETE FROM tenant_limits WHERE day < date(:cutoff, 'unixepoch')",
    # Events of that age are refused, so these entries are no longer needed. (Where a delivery interrupted a series of
    # soft bounces, `removed_at` is 0.)
    "DELETE FROM suppressions WHERE removed_at < :cutoff AND created_at < :cutoff AND mirror IS NULL",
)

_SUMS = (domain_days.SUMS, tenant_days.SUMS)

_log = structlog.get_logger(__name__)


class Retention:
    """A background service."""

    def __init__(self, database: Database, keep: float) -> None:
        """`keep`: seconds after the outcome, at least IDEMPOTENCY_TTL."""
        self._database = database
        self._keep = keep
        self._interval = min(_LONGEST_INTERVAL, keep / 10)

    async def run(self) -> None:
        """Sweep regularly, until cancelled."""
        await keep_sweeping(self.sweep, self._interval)

    async def sweep(self, now: float) -> int:
        """Delete what is too old at `now` (Unix seconds); returns the number of mails.

        Raises:
            sqlite3.OperationalError: the file accepts no writes at present; what was deleted so far stays deleted.
        """
        cutoff = now - self._keep
        deleted, after = 0, 0
        for sums in _SUMS:
            await sums.update(self._database)  # before the results are deleted
        while ids := await self._next(after):
            old = [row["id"] for row in ids if row["status"] >= Status.SENT and row["finished_at"] < cutoff]
            began = time.monotonic()
            if old:
                async with self._database.transaction() as connection:
                    deleted += await _forget(connection, old, cutoff)
                await rest(began, SHARE)
            if cutoff <= ids[-1]["created_at"] <= now:  # not of a clock that was ahead
                break
            after = ids[-1]["id"]
        async with self._database.transaction() as connection:
            for statement in _OTHER_TABLES:
                await connection.execute(statement, {"cutoff": cutoff})
            await fold(connection, now)
            for sums in _SUMS:
                await sums.forget(connection, cutoff)
        pages = await self._shrink()
        if deleted:
            _log.info("retention.swept", mails=deleted, pages_given_back=pages)
        return deleted

    async def _next(self, after: int) -> list[sqlite3.Row]:
        return await self._database.fetch(_NEXT, (after, _BATCH))

    async def _shrink(self) -> int:
        """Shrink the file if it is worthwhile; returns the number of pages."""
        first = free = await self._pragma("freelist_count")
        while free > _FREE_SHARE * await self._pragma("page_count"):
            began = time.monotonic()
            async with self._database.transaction() as connection:
                await connection.execute_fetchall(f"PRAGMA incremental_vacuum({_PAGES_BATCH})")
            await rest(began, SHARE)
            before, free = free, await self._pragma("freelist_count")
            if free >= before:  # the file was created without auto_vacuum
                break
        return first - free

    async def _pragma(self, name: str) -> int:
        ((value,),) = await self._database.fetch(f"PRAGMA {name}")
        return int(value)


async def _forget(connection: aiosqlite.Connection, ids: Sequence[int], cutoff: float) -> int:
    chosen = orjson.dumps(ids).decode()
    counted = [dict(row) for row in await connection.execute_fetchall(_COUNTED, (chosen,))]
    gone = list(await connection.execute_fetchall(_DELETE, (chosen, cutoff)))
    await connection.executemany(_DISCOUNT, counted)
    contents = orjson.dumps(list({row["content_id"] for row in gone if row["content_id"]})).decode()
    await connection.execute(_DELETE_CONTENTS, (contents,))
    topics = orjson.dumps(list({row["topic_id"] for row in gone if row["topic_id"]})).decode()
    for statement in _EMPTY_SUMS:
        await connection.execute(statement, (topics,))
    await connection.execute(_OLD_MINUTES, (topics, cutoff // 60))
    return len(gone)
