"""The SQLite file: opened, locked to one process, migrated; one writer and several readers."""

import asyncio
import fcntl
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import aiosqlite
import structlog

from email_consumer.runtime import private_files
from email_consumer.runtime.errors import OperatorError
from email_consumer.store.addresses import add_functions, keep_normal_forms

Result = TypeVar("Result")

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",  # readers run in parallel with the writer
    "PRAGMA synchronous = {synchronous}",
    "PRAGMA foreign_keys = {foreign_keys}",
    "PRAGMA busy_timeout = 2000",  # milliseconds; a longer lock is retried by the writer, with a log line
    "PRAGMA mmap_size = 0",  # mapped pages would count as our memory and grow with the file
    "PRAGMA temp_store = MEMORY",  # sorts are small, and the root file system may be read-only
    "PRAGMA journal_size_limit = 67108864",  # bytes the WAL keeps after a checkpoint
)
_MIGRATION = re.compile(r"(\d{3})_\w+\.sql")

_log = structlog.get_logger(__name__)


_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}
"""Errors that can be fixed from outside while we wait."""


class StoreError(OperatorError):
    """The file can't be used; the text says why and what to do."""


class StoreInUseError(StoreError):
    """Another process has the file."""


class _Writer(aiosqlite.Connection):
    async def call(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run it on the connection's thread, as one call inside BEGIN IMMEDIATE and COMMIT."""
        result: Result = await self._execute(_transact, self._conn, work)  # type: ignore[no-untyped-call]
        return result


def _transact(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Result]) -> Result:
    try:
        connection.execute("BEGIN IMMEDIATE")
        result = work(connection)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return result


def will_pass(error: Exception) -> bool:
    """Whether a write that failed by it may succeed later."""
    # Errors of Python's module itself, as about text that isn't UTF-8, have no code.
    return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


class Database:
    """Made by `open_database`. Writes go through `transaction` or `call`, reads through `reader`.

    Rows that are taken one by one are read through `cursors`: until the last is taken, its connection sees the file as it
    was, and other users of it would take settled mail for unsettled.
    """

    def __init__(
        self, path: Path, writer: _Writer, reader: aiosqlite.Connection, cursors: aiosqlite.Connection
    ) -> None:
        self.path = path
        self.reader = reader
        self.cursors = cursors
        self._writer = writer
        self._turn = asyncio.Lock()
        self._fault = ""
        """Why the last write failed; empty if it didn't."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """The one writer, inside BEGIN IMMEDIATE; committed (and on disk) after the block, rolled back on an error.

        Raises:
            sqlite3.OperationalError: locked by another program, or the disk is full; nothing was written.
        """
        async with self._turn:
            with self._noting_faults():
                try:
                    await self._writer.execute("BEGIN IMMEDIATE")
                    yield self._writer
                    await self._writer.commit()
                except BaseException:
                    await self._writer.rollback()
                    raise

    async def call(self, prepare: Callable[[], Callable[[sqlite3.Connection], Result]]) -> Result:
        """A transaction whose statements wait for nothing but the file, for what every mail needs.

        `prepare` is called here, when it is our turn to write; what it returns runs on the writer's thread, so it may
        touch only what no other thread changes. One such call costs as much as a single awaited statement of `transaction`.

        Raises:
            sqlite3.OperationalError: locked by another program, or the disk is full; nothing was written.
        """
        async with self._turn:
            with self._noting_faults():
                return await self._writer.call(prepare())

    async def check(self) -> None:
        """Raise while the file can't be read, or took no write when it was last asked to.

        Raises:
            sqlite3.OperationalError: it can't be read.
            ConnectionError: it takes no writes; each of ours is tried again, and the scheduler writes every minute.
        """
        await self.fetch("SELECT 1")
        if self._fault:
            raise ConnectionError(f"the database takes no writes: {self._fault}")

    @contextmanager
    def _noting_faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if will_pass(error):
                self._fault = str(error)
            raise
        self._fault = ""

    async def fetch(self, sql: str, parameters: Iterable[object] = ()) -> list[sqlite3.Row]:
        """All rows of a query, by the reader."""
        return list(await self.reader.execute_fetchall(sql, parameters))


@asynccontextmanager
async def open_database(
    path: Path,
    *,
    group_reads: bool = False,
    synchronous: str = "FULL",
    foreign_keys: str = "ON",
    version: int | None = None,
) -> AsyncIterator[Database]:
    """Open (and make, and migrate) the file for this process alone.

    `group_reads`: whether the file's group may read it; other users of the machine never may. `synchronous` is FULL in
    earnest: one fsync a commit. NORMAL is there to be measured. `foreign_keys` is OFF for restoring rows in any order.
    With `version` the schema is brought up to that one alone, for rows that are to be put back as they were then.

    Raises:
        StoreError: another process has it, it is newer than this program, or it can't be opened.
    """
    async with AsyncExitStack() as stack:
        try:
            private_files.make_directory(path.parent, group_reads=group_reads)
            stack.enter_context(_only_process(path))
            _keep_private(path, group_reads=group_reads)
            database = await _open(path, stack, version, synchronous=synchronous, foreign_keys=foreign_keys)
        except (OSError, sqlite3.DatabaseError) as error:
            raise StoreError(f"DB_PATH: can't use {path}: {error}") from error
        yield database


async def _open(path: Path, stack: AsyncExitStack, version: int | None, **pragmas: str) -> Database:
    writer = _Writer(partial(sqlite3.connect, path, isolation_level=None), iter_chunk_size=64)
    await stack.enter_async_context(writer)
    writer.row_factory = sqlite3.Row
    await add_functions(writer)
    await _migrate(writer, path, version)
    for pragma in _PRAGMAS:
        await writer.execute(pragma.format(**pragmas))
    if version is None:
        await keep_normal_forms(writer)  # after temp_store, whose change deletes what is temporary
    return Database(path, writer, await _open_reader(path, stack), await _open_reader(path, stack))


async def _open_reader(path: Path, stack: AsyncExitStack) -> aiosqlite.Connection:
    reader = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
    reader.row_factory = sqlite3.Row
    await add_functions(reader)
    await reader.execute("PRAGMA busy_timeout = 2000")
    await reader.execute("PRAGMA query_only = ON")
    return reader


def _keep_private(path: Path, *, group_reads: bool) -> None:
    """SQLite gives its side files the mode of the main file; those left by an earlier version are closed here."""
    private = private_files.make_file(path, group_reads=group_reads)
    for suffix in ("-wal", "-shm"):
        side_file = path.resolve().with_name(path.resolve().name + suffix)
        private = private_files.restrict(side_file, group_reads=group_reads) and private
    if not private:
        _log.warning("store.not_private", path=str(path), hint="its mode can't be changed; who owns it?")


@contextmanager
def _only_process(path: Path) -> Iterator[None]:
    # Rows marked as being processed belong to the one process that holds this lock; it is released with the process.
    lock_file = path.with_name(path.name + ".lock")
    private_files.make_file(lock_file)
    with lock_file.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreInUseError(
                f"DB_PATH: {path} is in use by another email-consumer; stop it, or name another file"
            ) from None
        yield


def newest_version() -> int:
    """Of the schema, as this program knows it; `PRAGMA user_version` is a file's own."""
    return _steps()[-1][0]


def _steps() -> list[tuple[int, Traversable]]:
    return sorted(
        (int(match[1]), entry)
        for entry in files("email_consumer.store").joinpath("migrations").iterdir()
        if (match := _MIGRATION.fullmatch(entry.name))
    )


async def _migrate(connection: aiosqlite.Connection, path: Path, last: int | None) -> None:
    steps = _steps()
    row = await (await connection.execute("PRAGMA user_version")).fetchone()
    version = int(row[0]) if row else 0
    if version > steps[-1][0]:
        raise StoreError(
            f"DB_PATH: {path} was written by a newer email-consumer (version {version}); upgrade, or name another file"
        )
    if version == 0:
        await connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # lets retention give space back in small steps
    for number, entry in steps:
        if version < number <= (last or number):
            script = f"BEGIN IMMEDIATE;\n{entry.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;"
            await connection.executescript(script)
            _log.info("store.migrated", path=str(path), step=entry.name)
