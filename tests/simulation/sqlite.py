"""The real SQLite, called by the event loop instead of a thread. A kill drops the transaction and keeps what was committed."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import aiosqlite

from email_consumer.store import database
from tests.simulation.process import Process
from tests.simulation.world import World

Result = TypeVar("Result")

_SLOWEST = 0.02
"""Seconds."""


class Storage:
    """The disk of the world: files survive the processes, and may refuse writes for a while."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._locks: dict[Path, Process] = {}
        self.refuses: str = ""
        """Why writes fail at present, in SQLite's words; empty if they don't."""
        self.commits = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let aiosqlite and the store work here until the block ends."""
        storage = self

        async def execute(self: aiosqlite.Connection, call: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
            if not self._running or self._connection is None:
                raise ValueError("Connection closed")
            try:
                return storage._perform(call, *args, **kwargs)
            finally:
                # What was written stays even if nobody hears of it: the process may be killed here.
                await asyncio.sleep(storage._latency(call))

        def start(self: aiosqlite.Connection) -> Generator[Any, None, aiosqlite.Connection]:
            process = storage._world.current
            assert process is not None
            connection = self._connection = self._connector()
            process.on_kill.append(partial(_lose, connection))
            yield from asyncio.sleep(0).__await__()
            return self

        def stop(self: aiosqlite.Connection) -> None:
            self._running = False
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        with ExitStack() as patches:
            for name, replacement in (("_execute", execute), ("__await__", start), ("stop", stop)):
                patches.enter_context(mock.patch.object(aiosqlite.Connection, name, replacement))
            patches.enter_context(mock.patch.object(database, "_only_process", self._only_process))
            yield

    def _perform(self, call: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        if self.refuses and self._writes(call, args):
            raise _operational_error(self.refuses)
        return call(*args, **kwargs)

    @staticmethod
    def _writes(call: Callable[..., object], args: tuple[object, ...]) -> bool:
        return call is database._transact or "BEGIN IMMEDIATE" in args

    def _latency(self, call: Callable[..., object]) -> float:
        """A commit waits for the disk; everything else takes one turn of the loop."""
        committed = call is database._transact or getattr(call, "__name__", "") == "commit"
        self.commits += committed
        return self._world.random.uniform(0.0, _SLOWEST) if committed else 0.0

    @contextmanager
    def _only_process(self, path: Path) -> Iterator[None]:
        holder = self._locks.get(path)
        if holder and holder.alive:
            raise database.StoreInUseError(f"DB_PATH: {path} is in use by another email-consumer")
        process = self._world.current
        assert process is not None
        self._locks[path] = process
        try:
            yield
        finally:
            if self._locks.get(path) is process:
                del self._locks[path]


def _lose(connection: sqlite3.Connection) -> None:
    """Close it as the end of its process does: a transaction is dropped with its lock, whoever still holds a cursor."""
    with suppress(sqlite3.ProgrammingError):  # closed before
        connection.rollback()
    connection.close()


def _operational_error(reason: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_FULL if "full" in reason else sqlite3.SQLITE_BUSY
    return error
