"""What the process was reading when it was killed: a small file next to the database, see `CarefulReader`.

It isn't synced: what was written survives the process, and the end of a whole machine is no mail's doing. So a note costs
microseconds, and nothing is waited for: a kill from outside would have to hit the reading itself to be counted.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
import structlog

from email_consumer.core.careful_reader import FATAL
from email_consumer.runtime import private_files
from email_consumer.store.database import StoreError

_KEY = 32
_NAME = re.compile(rb"[0-9a-f]{32}")
_LARGEST = 100_000
_NOBODY = " " * _KEY
_MOST = 1_000
"""Counts that are kept, the latest of them."""

_log = structlog.get_logger(__name__)


class FileJournal:
    """The first bytes name the delivery that is being read; JSON after them counts the readings nobody survived."""

    def __init__(self, file: int) -> None:
        """`file` is open for reading and writing, and this process's alone."""
        self._file = file
        self._fatal: dict[str, int] = {}
        self._take_over()

    async def begin(self, key: str) -> int:
        fatal = self._fatal.get(key, 0)
        if fatal < FATAL:  # else it stays unread, and whatever ends this process it isn't that
            self._write(key)
        return fatal

    async def end(self, key: str) -> None:
        self._write(_NOBODY)
        if self._fatal.pop(key, 0):
            self._save()

    def _take_over(self) -> None:
        content = os.pread(self._file, _LARGEST, 0)
        with suppress(ValueError, AttributeError, TypeError):  # killed while it was saved: they are counted again
            self._fatal = {str(key): int(count) for key, count in orjson.loads(content[_KEY:]).items()}
        if _NAME.fullmatch(content[:_KEY]):
            fatal = content[:_KEY].decode()
            times = self._fatal[fatal] = self._fatal.pop(fatal, 0) + 1
            _log.warning("reading.was_fatal", times=times, hint="a process was killed while it read one mail")
        self._save()

    def _save(self) -> None:
        self._fatal = dict(list(self._fatal.items())[-_MOST:])
        counts = orjson.dumps(self._fatal)
        self._write(_NOBODY)
        self._write(counts, at=_KEY)
        with suppress(OSError):
            os.ftruncate(self._file, _KEY + len(counts))

    def _write(self, text: str | bytes, at: int = 0) -> None:
        with suppress(OSError):  # a full disk: nothing is known then
            os.pwrite(self._file, text.encode() if isinstance(text, str) else text, at)


@asynccontextmanager
async def open_journal(database: Path) -> AsyncIterator[FileJournal]:
    """Next to the database file, which this process must have locked.

    Raises:
        StoreError: it can't be opened.
    """
    path = database.with_name(f"{database.name}-reading")
    try:
        private_files.make_file(path)
        file = os.open(path, os.O_RDWR)
    except OSError as error:
        raise StoreError(f"DB_PATH: can't use {path}: {error}") from error
    try:
        yield FileJournal(file)
    finally:
        os.close(file)
