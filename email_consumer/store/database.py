"""Opens the SQLite file for one process, migrates it, and provides one writer and separate readers."""

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
from email_consumer.store import mail_index
from email_consumer.store.addresses import add_functions, keep_addresses
from email_consumer.store.mail_index import extend

Result = TypeVar("Result")

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",  # readers don't block the writer
    "PRAGMA synchronous = {synchronous}",
    "PRAGMA foreign_keys = {foreign_keys}",
    "PRAGMA busy_timeout = 2000",  # milliseconds; the writer retries after a longer lock, with a log line
    "PRAGMA mmap_size = 0",  # mapped pages would count as process memory and grow with the file
    "PRAGMA temp_store = MEMORY",  # sorts are small, and the root file system may be read-only
    "PRAGMA wal_autocheckpoint = 8000",  # pages of 4 KB: a page that many groups change is copied once
    "PRAGMA journal_size_limit = 67108864",  # bytes the WAL keeps after a checkpoint
)
_MIGRATION = re.compile(r"(\d{3})_\w+\.sql")

_log = structlog.get_logger(__name__)


_TEMPORARY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}
"""Errors that may end without a change here."""


class StoreError(OperatorError):
    """The file can't be used; the text says why and what to do."""


class StoreInUseError(StoreError):
    """Another process uses the file."""


class _Writer(aiosqlite.Connection):
    async def call(self, work: Callable[[sqlite3.Connection], Result], *, extends: bool) -> Result:
        """Run `work` on the connection's thread, within BEGIN IMMEDIATE and COMMIT; `extends` the index of addresses too."""
        result: Result = await self._execute(_transact, self._conn, work, extends=extends)  # type: ignore[no-untyped-call]
        return result

    async def extend(self) -> None:
        """Bring the index of addresses up to date, within a transaction."""
        await self._execute(extend, self._conn)  # type: ignore[no-untyped-call]


def _transact(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Result], *, extends: bool = False
) -> Result:
    try:
        connection.execute("BEGIN IMMEDIATE")
        result = work(connection)
        if extends:
            extend(connection)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return result


def is_temporary(error: Exception) -> bool:
    """Whether a write that failed with `error` may succeed later."""
    # Errors raised by Python's module itself, such as for text that isn't UTF-8, have no code.
    return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _TEMPORARY


class Database:
    """Created by `open_database`. Writes go through `transaction` or `call`, reads through `reader`.

    Use `cursors` to read rows one by one: until the last row is read, that connection sees an old snapshot, so sharing
    `reader` would show settled mail as unsettled.
    """

    def __init__(
        self, path: Path, writer: _Writer, reader: aiosqlite.Connection, cursors: aiosqlite.Connection
    ) -> None:
        self.path = path
        self.reader = reader
        self.cursors = cursors
        self._writer = writer
        self._write_lock = asyncio.Lock()
        self._error = ""
        """Why the last write failed; empty if it succeeded."""
        self._extended_at = writer.total_changes
        """Changes of the writer when the index of addresses was last extended."""
        self.writes = 0
        """Transactions of the writer that have ended: while there are no more, a reader would find the same again."""
        self.when_written: Callable[[], None] = lambda: None
        """Called after each commit."""

    @property
    def _extends(self) -> bool:
        return self._writer.total_changes - self._extended_at >= mail_index.CHANGES

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """The writer, within BEGIN IMMEDIATE; committed (and on disk) after the block, rolled back on an error.

        Raises:
            sqlite3.OperationalError: locked by another program, or the disk is full; nothing was written.
        """
        async with self._write_lock:
            with self._recorded():
                try:
                    await self._writer.execute("BEGIN IMMEDIATE")
                    yield self._writer
                    if extends := self._extends:
                        await self._writer.extend()
                    await self._writer.commit()
                    if extends:
                        self._extended_at = self._writer.total_changes
                except BaseException:
                    await self._writer.rollback()
                    raise

    async def call(self, prepare: Callable[[], Callable[[sqlite3.Connection], Result]]) -> Result:
        """A transaction in a single call on the writer's thread, for writes that every mail needs.

        `prepare` is called on the event loop once the write lock is held; what it returns runs on the writer's thread, so
        it may use only data that no other thread changes. It costs as much as one awaited statement of `transaction`.

        Raises:
            sqlite3.OperationalError: locked by another program, or the disk is full; nothing was written.
        """
        async with self._write_lock:
            with self._recorded():
                extends = self._extends
                result = await self._writer.call(prepare(), extends=extends)
                if extends:
                    self._extended_at = self._writer.total_changes
                return result

    async def check(self) -> None:
        """Raise while the file can't be read, or if the last write failed.

        Raises:
            sqlite3.OperationalError: it can't be read.
            ConnectionError: it accepts no writes; ours are retried, and the scheduler writes every minute.
        """
        await self.fetch("SELECT 1")
        if self._error:
            raise ConnectionError(f"the database accepts no writes: {self._error}")

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if is_temporary(error):
                self._error = str(error)
            raise
        finally:  # also of one that was cancelled: it may have been committed
            self.writes += 1
        self._error = ""
        self.when_written()

    async def fetch(self, sql: str, parameters: Iterable[object] = ()) -> list[sqlite3.Row]:
        """All rows of a query, from the reader."""
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
    """Open the file exclusively, creating and migrating it if needed.

    `group_reads`: whether the file's group may read it; other users never may. `synchronous` must be FULL in production (one
    fsync per commit); NORMAL is for measurements. `foreign_keys` are OFF to restore rows in any order. `version` stops the
    migration there, to restore rows of that version.

    Raises:
        StoreError: another process uses it, it is newer than this program, or it can't be opened.
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
        await keep_addresses(writer)  # after temp_store: changing it deletes temporary objects
    return Database(path, writer, await _open_reader(path, stack), await _open_reader(path, stack))


async def _open_reader(path: Path, stack: AsyncExitStack) -> aiosqlite.Connection:
    reader = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
    reader.row_factory = sqlite3.Row
    await add_functions(reader)
    await reader.execute("PRAGMA busy_timeout = 2000")
    await reader.execute("PRAGMA query_only = ON")
    return reader


def _keep_private(path: Path, *, group_reads: bool) -> None:
    """SQLite creates its other files with the same mode; files of earlier versions are restricted here."""
    private = private_files.make_file(path, group_reads=group_reads)
    for suffix in ("-wal", "-shm"):
        companion = path.resolve().with_name(path.resolve().name + suffix)
        private = private_files.restrict(companion, group_reads=group_reads) and private
    if not private:
        _log.warning("store.not_private", path=str(path), hint="its mode can't be changed; check its owner")


@contextmanager
def _only_process(path: Path) -> Iterator[None]:
    # Mail marked as being sent belongs to the process that holds this lock, which ends with the process.
    lock_file = path.with_name(path.name + ".lock")
    private_files.make_file(lock_file)
    with lock_file.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreInUseError(
                f"DB_PATH: {path} is in use by another email-consumer; stop it, or choose another file"
            ) from None
        yield


def newest_version() -> int:
    """The latest schema version of this program; that of a file is `PRAGMA user_version`."""
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
            f"DB_PATH: {path} was written by a newer email-consumer (version {version}); upgrade, or choose another file"
        )
    if version == 0:
        await connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # lets retention release space in small steps
    for number, entry in steps:
        if version < number <= (last or number):
            script = f"BEGIN IMMEDIATE;\n{entry.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;"
            await connection.executescript(script)
            if version:
                _log.info("store.migrated", path=str(path), step=entry.name)
    if version == 0:
        _log.info("store.created", path=str(path))
