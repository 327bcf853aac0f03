"""A locked file that names a process and tells whether it lives.

The system drops the lock when the process ends, however it ends, and a pid is not given to another process as long as
its owner lives: so the pid in a file that is still locked is the right one to signal.
"""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

_POLL = 0.02


class StillHeldError(Exception):
    """The file stays locked by a process that can't be ended; the text names the file."""


class PidLock:
    """Not held until `acquire`. A child process that inherits `descriptor` keeps it held after our `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = -1

    def acquire(self, patience: float = 0.0) -> bool:
        """Whether it is ours now, or has become so within `patience` seconds."""
        deadline = time.monotonic() + patience
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        return True

    def name_holder(self, pid: int) -> None:
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(pid).encode(), 0)

    def holder(self) -> int:
        """The pid of the process that holds it; 0 if nothing does, or it has not said its name yet."""
        if self.acquire():
            self.close()
            return 0
        return int(self._path.read_text() or "0")

    def close(self) -> None:
        """Let go of our descriptor; not being held is no error."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def acquire_from_leftover(self, patience: float) -> None:
        """Take it over: end the process that still holds it, first in an orderly way, after `patience` seconds not.

        Raises:
            StillHeldError: it would not end.
        """
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self.acquire():
                return
            if pid := int(self._path.read_text() or "0"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
            if self.acquire(patience):
                return
        raise StillHeldError(f"{self._path} is locked by a process that can't be ended")

    def _try(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self.descriptor = descriptor
        return True
