"""A consistent copy of the SQLite file, also while somebody writes to it."""

import errno
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from email_consumer.runtime import private_files
from email_consumer.runtime.errors import OperatorError

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What file systems without hard links answer."""


class BackupError(OperatorError):
    """There is no copy; in plain words."""


def back_up(path: Path, copy: Path) -> int:
    """Copy the file as it is at one moment; how many bytes that are. Writers go on meanwhile, their WAL grows.

    The copy is there once it is complete and on disk, and only its owner may read it.

    Raises:
        BackupError: there is no file, the copy is there already, or it can't be written.
    """
    if not path.exists():
        raise BackupError(f"DB_PATH: there is no {path}")
    if copy.exists():
        raise BackupError(f"{copy} is there already, and is not overwritten")
    partial = copy.with_name(f"{copy.name}.partial-{os.getpid()}")
    try:
        private_files.make_file(partial)
        try:
            _copy(path, partial)
            _publish(partial, copy)
        finally:
            for left in partial.parent.glob(f"{partial.name}*"):
                left.unlink()
    except FileExistsError:
        raise BackupError(f"{copy} is there already, and is not overwritten") from None
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{path} can't be copied to {copy}: {error}") from error
    return copy.stat().st_size


def _copy(path: Path, partial: Path) -> None:
    # Read-only, and all pages in one step: one snapshot, which a writer can't make us begin again.
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    with closing(source), closing(sqlite3.connect(partial)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # all in the one file


def _publish(partial: Path, copy: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(partial, copy)  # a rename would replace what came to be there meanwhile
    except OSError as error:
        if error.errno not in _NO_LINKS or copy.exists():
            raise
        partial.rename(copy)
    directory = os.open(copy.parent, os.O_RDONLY)
    with suppress(OSError):  # not every file system can
        os.fsync(directory)
    os.close(directory)
