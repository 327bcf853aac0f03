"""Group commit: concurrent small writes share a transaction and its fsync."""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from math import inf
from typing import Generic, TypeAlias, TypeVar

import aiosqlite
import structlog

from email_consumer.store.database import Database, is_temporary

Item = TypeVar("Item")
Result = TypeVar("Result")

_RETRY_PAUSE = 0.5
_MAX_GROUP = 1000
_log = structlog.get_logger(__name__)


class StoreBlockedError(Exception):
    """The file accepted no writes within the item's timeout; the item was not written, and won't be."""


_Waiting: TypeAlias = tuple[Item, asyncio.Future[Result], float]
"""An item, what its caller waits for, and when it expires (event-loop clock)."""


class _Groups(ABC, Generic[Item, Result]):
    """Collects items, writes them in one transaction, and resolves each future after the commit.

    A locked file or a full disk delays all items until it is over or their timeouts expire; the number of callers is
    limited elsewhere. Items expire only between attempts, when it is certain that they were not written.
    """

    def __init__(self, database: Database, interval: float) -> None:
        self._database = database
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting[Item, Result]] = []
        self._arrived = asyncio.Event()
        self._blocked = False

    @abstractmethod
    async def _transact(self, items: list[Item]) -> list[Result]:
        """Write the items, all or none; returns a result for each, in order."""

    def submit(self, item: Item, patience: float = inf) -> "asyncio.Future[Result]":
        """The result for the item once it is on disk; `StoreBlockedError` after `patience` seconds."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append((item, future, self._loop.time() + patience))
        if len(self._waiting) == 1:
            self._arrived.set()
        return future

    async def run(self) -> None:
        """Until cancelled; a group in progress is committed or rolled back as a whole."""
        earliest = self._loop.time()
        while True:
            await self._arrived.wait()
            await asyncio.sleep(max(0.0, earliest - self._loop.time()))
            earliest = self._loop.time() + self._interval
            group, self._waiting = self._waiting[:_MAX_GROUP], self._waiting[_MAX_GROUP:]
            if not self._waiting:
                self._arrived.clear()
            await self._commit(group)

    async def _commit(self, group: list[_Waiting[Item, Result]]) -> None:
        while group:
            try:
                answers = await self._transact([item for item, _, _ in group])
            except Exception as error:  # noqa: BLE001 - passed to the futures
                if not is_temporary(error):
                    await self._fail(group, error)
                    return
                if not self._blocked:
                    _log.error("store.blocked", path=str(self._database.path), error=str(error), waiting=len(group))
                self._blocked = True
                await asyncio.sleep(_RETRY_PAUSE)
                group = self._without_expired(group, error)
                self._waiting = self._without_expired(self._waiting, error)
            else:
                break
        else:
            return
        if self._blocked:
            self._blocked = False
            _log.info("store.unblocked", path=str(self._database.path))
        for (_, future, _), answer in zip(group, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    def _without_expired(self, waiting: list[_Waiting[Item, Result]], error: Exception) -> list[_Waiting[Item, Result]]:
        """Fail the expired items; returns the others."""
        now = self._loop.time()
        for _, future, give_up_at in waiting:
            if give_up_at <= now:
                _reject(future, StoreBlockedError(f"the database accepts no writes: {error}"))
        return [each for each in waiting if each[2] > now]

    async def _fail(self, group: list[_Waiting[Item, Result]], error: Exception) -> None:
        if len(group) == 1:
            _reject(group[0][1], error)
            return
        _log.error("store.group_failed", size=len(group), error=repr(error))
        for single in group:  # one must not fail the others
            await self._commit([single])


class GroupCommit(_Groups[Item, Result]):
    """For writes that await between statements, or that few mails need."""

    def __init__(
        self,
        database: Database,
        write: Callable[[aiosqlite.Connection, list[Item]], Awaitable[list[Result]]],
        *,
        interval: float = 0.01,
    ) -> None:
        """`write` returns a result for each item, in order. `interval`: minimum seconds between two groups."""
        super().__init__(database, interval)
        self._write = write

    async def _transact(self, items: list[Item]) -> list[Result]:
        async with self._database.transaction() as connection:
            return _check_count(items, await self._write(connection, items))


class GroupCall(_Groups[Item, Result]):
    """For writes that every mail needs: a group is one call on the writer's thread, see `Database.call`."""

    def __init__(
        self,
        database: Database,
        prepare: Callable[[list[Item]], Callable[[sqlite3.Connection], list[Result]]],
        *,
        interval: float = 0.01,
    ) -> None:
        """What `prepare` returns computes a result for each item, in order. `interval`: see `GroupCommit`."""
        super().__init__(database, interval)
        self._prepare = prepare

    async def _transact(self, items: list[Item]) -> list[Result]:
        def prepare() -> Callable[[sqlite3.Connection], list[Result]]:
            write = self._prepare(items)
            return lambda connection: _check_count(items, write(connection))

        return await self._database.call(prepare)


def _check_count(items: list[Item], answers: list[Result]) -> list[Result]:
    # Within the transaction, so that an error rolls it back.
    if len(answers) != len(items):
        raise ValueError(f"{len(answers)} results for {len(items)} items")
    return answers


def _reject(future: "asyncio.Future[Result]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
