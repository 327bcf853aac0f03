"""The sandbox's SQLite file, and the group commit that makes answering durable requests cheap."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id  TEXT NOT NULL,      -- as answered to the client
    received_at REAL NOT NULL,      -- Unix seconds
    recipients  INTEGER NOT NULL,   -- to, cc and bcc together
    uuid        TEXT,               -- tag `uuid`, else header X-Request-ID
    sender      TEXT NOT NULL,
    destination TEXT NOT NULL,      -- bare addresses in lower case, each between newlines
    subject     TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS mails_by_uuid ON mails (uuid);
-- Apart from `mails`, so that counting and searching never reads the bodies.
CREATE TABLE IF NOT EXISTS requests (mail_id INTEGER PRIMARY KEY, body BLOB NOT NULL);
-- Recipients accepted per minute since the epoch: the rolling quota outlives the mails.
CREATE TABLE IF NOT EXISTS usage (minute INTEGER PRIMARY KEY, recipients INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS suppressed (address TEXT PRIMARY KEY, reason TEXT NOT NULL, updated_at REAL NOT NULL);
-- The lists of tenants whose suppression scope is TENANT.
CREATE TABLE IF NOT EXISTS tenant_suppressed (
    tenant TEXT, address TEXT, reason TEXT NOT NULL, updated_at REAL NOT NULL, PRIMARY KEY (tenant, address)
);
CREATE TABLE IF NOT EXISTS tenants (name TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS topics (arn TEXT PRIMARY KEY, attributes TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS topic_tags (arn TEXT PRIMARY KEY, tags TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subscriptions (
    arn         TEXT PRIMARY KEY,
    topic_arn   TEXT NOT NULL,
    protocol    TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    token       TEXT NOT NULL,
    confirmed   INTEGER NOT NULL,
    standing    INTEGER NOT NULL,   -- Subscription.at_startup
    attributes  TEXT NOT NULL
);
-- SNS messages not yet delivered or given up.
CREATE TABLE IF NOT EXISTS outbox (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription_arn TEXT NOT NULL,
    topic_arn        TEXT NOT NULL,
    type             TEXT NOT NULL,
    message_id       TEXT NOT NULL,  -- of SNS
    subject          TEXT,
    message          TEXT NOT NULL,
    token            TEXT NOT NULL,
    created_at       REAL NOT NULL,
    due_at           REAL NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS outbox_by_due ON outbox (due_at);
"""

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], T]
"""Statements to run inside the shared transaction; must not commit."""


class Database:
    """One writing connection with group commit, one reading connection in a thread, one for short reads at once.

    All writes that arrive while a commit is under way share the next one: one fsync for the whole group. Statements
    run on the event loop (microseconds each); only the commit runs in a thread. The other way round, a busy loop
    would make the thread wait for the interpreter lock at every row.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file; WAL with `synchronous=FULL`, so a committed write survives a power cut too."""
        self._writer = self._connect(path)
        self._writer.executescript(_SCHEMA)
        self._reader = self._connect(path)
        self._reader.execute("PRAGMA query_only=ON")
        self._quick_reader = self._connect(path)
        self._commit_thread = ThreadPoolExecutor(1, "sandbox-commit")
        self._read_thread = ThreadPoolExecutor(1, "sandbox-read")
        self._waiting: list[tuple[Write[Any], asyncio.Future[Any]]] = []
        self._committer: asyncio.Task[None] | None = None

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def submit(self, statements: Write[T]) -> asyncio.Future[T]:
        """Run `statements` in the next group; the future holds their result once it is committed.

        Don't cancel the future: the group is written all the same. It fails with the `sqlite3.Error` of its group.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((statements, future))
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_groups())
        return future

    async def write(self, statements: Write[T]) -> T:
        """Run `statements` in the next group and return their result once it is committed."""
        return await asyncio.shield(self.submit(statements))

    async def _commit_groups(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._commit(group)
        finally:
            self._committer = None

    async def _commit(self, group: list[tuple[Write[Any], asyncio.Future[Any]]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            results = [statements(self._writer) for statements, _ in group]
            await loop.run_in_executor(self._commit_thread, self._writer.commit)
        except Exception as error:  # noqa: BLE001 - every caller waiting for the group gets it
            if self._writer.in_transaction:
                self._writer.rollback()
            for _, future in group:
                future.set_exception(error)
        else:
            for (_, future), result in zip(group, results, strict=True):
                future.set_result(result)

    async def read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query, run in a thread, on committed data."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_thread, lambda: self._reader.execute(sql, parameters).fetchall())

    def read_now(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of a short query, at once, on committed data."""
        return self._quick_reader.execute(sql, parameters).fetchall()

    async def close(self) -> None:
        """Finish the group under way and close."""
        if self._committer is not None:
            await self._committer
        self._commit_thread.shutdown()
        self._read_thread.shutdown()
        self._reader.close()
        self._quick_reader.close()
        self._writer.close()
