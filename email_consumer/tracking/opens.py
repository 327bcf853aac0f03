"""Records opens in the background: bounded in memory, in group commits."""

import asyncio
import sqlite3
import time
from collections import deque
from dataclasses import dataclass

import aiosqlite
import orjson
import structlog

from email_consumer.store.database import Database
from email_consumer.tracking.machines import SOON

_MAX_WAITING = 10_000
_GROUP = 500
_INTERVAL = 0.25
"""Minimum seconds between two commits: mail takes precedence over opens."""
_RETRY_PAUSE = 1.0
_MAX_PER_MAIL = 50
"""Recorded opens per mail, so that repeated loading can't fill the disk."""

_MAILS = """
SELECT id, coalesce(tag, uuid) AS tag, coalesce(address, email) AS recipient, finished_at FROM email_requests
WHERE uuid IN (SELECT value FROM json_each(:tags)) OR tag IN (SELECT value FROM json_each(:tags))
"""
_INSERT = """
INSERT INTO email_results (request_id, status, recipient, machine, raw, created_at)
SELECT :request_id, 'Open', :recipient, :machine, :raw, :at
WHERE (SELECT count(*) FROM email_results WHERE request_id = :request_id AND status = 'Open') < :most
"""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Open:
    tag: str
    """Tag of the mail."""
    at: float
    """Unix seconds."""
    machine: bool
    agent: str
    """User-Agent. Nothing else about the reader is stored."""


class OpenRecorder:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Open] = deque()
        self._arrived = asyncio.Event()
        self.dropped = 0
        """Opens that were not recorded because too many were waiting."""

    def record(self, opened: Open) -> None:
        """Queue it for the next commit; does not block."""
        if len(self._waiting) >= _MAX_WAITING:
            if not self.dropped:
                _log.warning(
                    "opens.dropped", waiting=_MAX_WAITING, hint="opens arrive faster than the disk can store them"
                )
            self.dropped += 1
            return
        self._waiting.append(opened)
        self._arrived.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._arrived.wait()
            await self.flush()
            await asyncio.sleep(_INTERVAL)

    async def flush(self) -> None:
        """Record all waiting opens, for example at shutdown."""
        while self._waiting:
            group = [self._waiting[index] for index in range(min(_GROUP, len(self._waiting)))]
            try:
                async with self._database.transaction() as connection:
                    await _insert(connection, group)
            except sqlite3.OperationalError as error:
                _log.warning("opens.blocked", error=str(error), waiting=len(self._waiting))
                await asyncio.sleep(_RETRY_PAUSE)
                return
            for _ in group:
                self._waiting.popleft()
        self._arrived.clear()


async def _insert(connection: aiosqlite.Connection, group: list[Open]) -> None:
    tags = orjson.dumps([opened.tag for opened in group]).decode()
    mails = {row["tag"]: row for row in await connection.execute_fetchall(_MAILS, {"tags": tags})}
    rows = []
    for opened in group:
        mail = mails.get(opened.tag)
        if mail is not None:  # None if it was erased meanwhile
            soon = opened.at - (mail["finished_at"] or time.time()) < SOON
            rows.append(
                {
                    "request_id": mail["id"],
                    "recipient": mail["recipient"],
                    "machine": opened.machine or soon,
                    "raw": orjson.dumps({"userAgent": opened.agent.encode(errors="replace").decode()}).decode(),
                    "at": opened.at,
                    "most": _MAX_PER_MAIL,
                }
            )
    await connection.executemany(_INSERT, rows)
