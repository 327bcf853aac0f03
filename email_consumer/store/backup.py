"""Makes a consistent copy of the SQLite file, even while it is written to."""

import errno
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from email_consumer.runtime import private_files
from email_consumer.runtime.errors import OperatorError
from email_consumer.store.key_values import DELETE_VALUE, WRITE_VALUE

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""Errors of file systems without hard links."""


MADE_AT = "backup"
"""Name of a value in the copy's table `facts`: when the copy was made, in Unix seconds."""


class BackupError(OperatorError):
    """The copy failed; the text says why."""


def back_up(path: Path, copy: Path, *, is_ledger: bool) -> int:
    """Copy a snapshot of the file; returns its size in bytes. Writers go on meanwhile, and the WAL grows.

    The copy appears once it is complete and on disk, readable only by its owner. If the file is the ledger (`is_ledger`), its copy
    is another one: who starts on it does not know what is sent from now on.

    Raises:
        BackupError: the file does not exist, the copy already exists, or it can't be written.
    """
    if not path.exists():
        raise BackupError(f"DB_PATH: {path} does not exist")
    if copy.exists():
        raise BackupError(f"{copy} already exists and is not overwritten")
    partial = copy.with_name(f"{copy.name}.partial-{os.getpid()}")
    try:
        private_files.make_file(partial)
        try:
            _copy(path, partial)
            if is_ledger:
                _make_another_ledger(partial)
            _publish(partial, copy)
        finally:
            for left in partial.parent.glob(f"{partial.name}*"):
                left.unlink()
    except FileExistsError:
        raise BackupError(f"{copy} already exists and is not overwritten") from None
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{path} can't be copied to {copy}: {error}") from error
    return copy.stat().st_size


def _copy(path: Path, partial: Path) -> None:
    # Read-only, and all pages in one step: a single snapshot that writers can't force us to restart.
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    with closing(source), closing(sqlite3.connect(partial)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # a single file


def _make_another_ledger(partial: Path) -> None:
    with closing(sqlite3.connect(partial)) as copy, copy:
        copy.execute(DELETE_VALUE, ("ledger",))
        copy.execute(WRITE_VALUE, (MADE_AT, str(time.time())))


def _publish(partial: Path, copy: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(partial, copy)  # a rename would overwrite a file created meanwhile
    except OSError as error:
        if error.errno not in _NO_LINKS or copy.exists():
            raise
        partial.rename(copy)
    directory = os.open(copy.parent, os.O_RDONLY)
    with suppress(OSError):  # unsupported by some file systems
        os.fsync(directory)
    os.close(directory)
