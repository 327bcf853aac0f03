"""Records which delivery the process was decoding when it was killed, in a small file next to the database.

See `CarefulReader`. The file isn't synced: writes survive the process, and a crash of the machine is not caused by a mail. So a
record costs microseconds, and an external kill counts only if it happens during decoding.
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
_NONE = " " * _KEY
_MAX_COUNTS = 1_000
"""Number of counts that are kept, the latest."""

_log = structlog.get_logger(__name__)


class FileJournal:
    """The first bytes identify the delivery being decoded; then JSON counts the fatal attempts of deliveries."""

    def __init__(self, file: int) -> None:
        """`file` is open for reading and writing, exclusively."""
        self._file = file
        self._fatal: dict[str, int] = {}
        self._take_over()

    async def begin(self, key: str) -> int:
        fatal = self._fatal.get(key, 0)
        if fatal < FATAL:  # otherwise it is not decoded, and can't end this process
            self._write(key)
        return fatal

    async def end(self, key: str) -> None:
        self._write(_NONE)
        if self._fatal.pop(key, 0):
            self._save()

    def _take_over(self) -> None:
        content = os.pread(self._file, _LARGEST, 0)
        with suppress(ValueError, AttributeError, TypeError):  # killed while saving: counting starts over
            self._fatal = {str(key): int(count) for key, count in orjson.loads(content[_KEY:]).items()}
        if _NAME.fullmatch(content[:_KEY]):
            fatal = content[:_KEY].decode()
            times = self._fatal[fatal] = self._fatal.pop(fatal, 0) + 1
            _log.warning("reading.was_fatal", times=times, hint="a process was killed while it decoded a mail")
        self._save()

    def _save(self) -> None:
        self._fatal = dict(list(self._fatal.items())[-_MAX_COUNTS:])
        counts = orjson.dumps(self._fatal)
        self._write(_NONE)
        self._write(counts, at=_KEY)
        with suppress(OSError):
            os.ftruncate(self._file, _KEY + len(counts))

    def _write(self, text: str | bytes, at: int = 0) -> None:
        with suppress(OSError):  # a full disk: nothing is recorded
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
