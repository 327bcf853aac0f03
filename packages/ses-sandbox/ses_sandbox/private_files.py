"""Files and directories that other users of this machine can't read: they hold addresses, mail and keys."""

import os
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

_FILE_MODE = 0o600


def make_directory(path: Path) -> None:
    """Create the directory and its missing parents. An existing one stays as it is: others may need it."""
    missing = list(takewhile(lambda each: not each.exists(), (path, *path.parents)))
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o700)


def make_file(path: Path) -> None:
    """Create an empty file, or take other users' access to the existing one away."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, _FILE_MODE))
    restrict(path)


def restrict(path: Path) -> None:
    """Take other users' access to a file away, if it exists and is ours."""
    if path.exists() and path.stat().st_mode & 0o777 != _FILE_MODE:
        with suppress(PermissionError):
            path.chmod(_FILE_MODE)
