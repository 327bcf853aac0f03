"""The audit log: written with each action, read by operators, deleted after AUDIT_RETENTION_DAYS."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import NamedTuple

import structlog

from email_consumer.store.database import Database
from email_consumer.web.audit import AuditEntry

_EVERY = 3_600.0
_BATCH = 1_000
_FROM_THE_END = 2**62
_WRITE = """
INSERT INTO audit_log (at, key_id, key_name, action, target, status, address)
VALUES (:at, :key_id, :key_name, :action, :target, :status, :address)
"""
_READ = """
SELECT * FROM audit_log
WHERE id < :before AND (:key_id = '' OR key_id = :key_id) AND (:action = '' OR instr(action, :action))
    AND at >= :since AND at < :until
ORDER BY id DESC LIMIT :limit
"""
_DELETE = "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < ? LIMIT 10000)"

_log = structlog.get_logger(__name__)


class AuditSearch(NamedTuple):
    """Which entries; an empty text means all. Times are Unix seconds."""

    key_id: str = ""
    action: str = ""
    """A part of the action."""
    since: float = 0.0
    until: float = 2.0**40


class AuditLog:
    def __init__(self, database: Database, keep: float) -> None:
        """`keep`: seconds after which an entry is deleted."""
        self._database = database
        self._keep = keep

    async def record(self, entry: AuditEntry) -> None:
        """Store it.

        Raises:
            sqlite3.OperationalError: the file accepts no writes at present.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_WRITE, asdict(entry))

    async def page(self, search: AuditSearch, before: int | None, limit: int) -> list[sqlite3.Row]:
        """Entries with an id below `before`, newest first."""
        values = search._asdict() | {"before": before or _FROM_THE_END, "limit": limit}
        return await self._database.fetch(_READ, values)

    async def pages(self, search: AuditSearch) -> AsyncIterator[list[sqlite3.Row]]:
        """All of them, newest first."""
        before = None
        while rows := await self.page(search, before, _BATCH):
            yield rows
            before = rows[-1]["id"]

    async def run(self) -> None:
        """Delete old entries, once an hour, until cancelled."""
        while True:
            try:
                await self.sweep(time.time())
            except sqlite3.OperationalError as error:
                _log.warning("audit.not_swept", error=str(error), retry_in=_EVERY)
            await asyncio.sleep(_EVERY)

    async def sweep(self, now: float) -> None:
        """Delete what is too old at `now` (Unix seconds)."""
        async with self._database.transaction() as connection:
            await connection.execute(_DELETE, (now - self._keep,))
