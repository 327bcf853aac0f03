"""The directory of what must survive a kill, used by one sandbox at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DirectoryInUseError(Exception):
    """Another sandbox runs on the same directory."""


@contextmanager
def claimed(directory: Path) -> Iterator[Path]:
    """Create the directory if absent and keep it for this process until the block, or the process, ends.

    Raises:
        DirectoryInUseError: if another process has it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "sandbox.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUseError(f"another sandbox runs on {directory}") from None
        yield directory
