"""Files and directories that other users of this machine can't read: they hold addresses, mail and keys."""

import os
from contextlib import suppress
from itertools import takewhile
from pathlib import Path


def mode(*, group_reads: bool) -> int:
    """Of a file."""
    return 0o640 if group_reads else 0o600


def make_directory(path: Path, *, group_reads: bool = False) -> None:
    """The directory and what is missing above it. One that was there before stays as it is: others may need it."""
    missing = list(takewhile(lambda each: not each.exists(), (path, *path.parents)))
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o750 if group_reads else 0o700)


def own_directory(path: Path) -> None:
    """The directory, which nobody else needs: also what lies in it already is closed to them."""
    make_directory(path)
    with suppress(PermissionError):
        path.chmod(0o700)


def make_file(path: Path, *, group_reads: bool = False) -> bool:
    """An empty file, or the one that is there; see `restrict`."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, mode(group_reads=group_reads)))
    return restrict(path, group_reads=group_reads)


def restrict(path: Path, *, group_reads: bool = False) -> bool:
    """Take from others what they may do with a file, if it is there.

    False if that is not ours to do: the file is another user's, or its file system knows no rights.
    """
    wanted = mode(group_reads=group_reads)
    if path.exists() and path.stat().st_mode & 0o777 != wanted:
        with suppress(PermissionError):
            path.chmod(wanted)
        return path.stat().st_mode & 0o777 == wanted
    return True


def write(path: Path, content: bytes) -> None:
    """In place of what was there, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)
