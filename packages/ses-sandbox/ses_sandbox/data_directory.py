"""The directory of what must survive a kill, used by one sandbox at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ses_sandbox import private_files


class DirectoryInUseError(Exception):
    """Another sandbox runs on the same directory."""


@contextmanager
def claimed(directory: Path) -> Iterator[Path]:
    """Create the directory if absent and keep it for this process until the block, or the process, ends.

    Raises:
        DirectoryInUseError: if another process has it.
    """
    private_files.make_directory(directory)
    for name in ("sandbox.lock", "sandbox.db"):
        private_files.make_file(directory / name)
    for name in ("sandbox.db-wal", "sandbox.db-shm"):  # of an earlier version that was killed
        private_files.restrict(directory / name)
    with (directory / "sandbox.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUseError(f"another sandbox runs on {directory}") from None
        yield directory
