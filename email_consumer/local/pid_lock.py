"""A locked file that names a process and tells whether it lives.

The system drops the lock when the process ends, however it ends. But the name may be older than the lock: who takes the
lock is named a moment later, pids are given out again, and in another container they mean other processes. So only a
process that is seen to have the file open is ever signalled.
"""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

from email_consumer.runtime.errors import OperatorError

_POLL = 0.02
_LONGEST_PID = 10
"""Digits."""


class StillHeldError(OperatorError):
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
        return self._named()

    def close(self) -> None:
        """Let go of our descriptor; not being held is no error."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def acquire_from_leftover(self, patience: float) -> None:
        """Take it over: end the process that still holds it, first in an orderly way, after `patience` seconds not.

        Raises:
            StillHeldError: it would not end, or is not known for sure.
        """
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self.acquire():
                return
            pid = self._named()
            if pid and self._is_open_in(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
            if self.acquire(patience):
                return
        raise StillHeldError(
            f"{self._path} is locked by a process that can't be ended, or that isn't the one it names; "
            f"`lsof {self._path}` shows it: end it by hand"
        )

    def _named(self) -> int:
        """0 where the file names none."""
        text = self._path.read_text(errors="replace").strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_PID else 0

    def _is_open_in(self, pid: int) -> bool:
        """Whether that process has the file open, as only one that holds the lock, or waits for it, does."""
        file = self._path.stat()
        try:
            descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:  # gone, another user's, or a system without /proc
            return False
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                opened = descriptor.stat()
                if (opened.st_dev, opened.st_ino) == (file.st_dev, file.st_ino):
                    return True
        return False

    def _try(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o600)  # a process that can read it could hold the lock
        self.descriptor = descriptor
        return True
