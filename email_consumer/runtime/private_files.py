"""Files and directories that other users of the machine can't read: they contain addresses, mail and keys."""

import os
from contextlib import suppress
from itertools import takewhile
from pathlib import Path


def mode(*, group_reads: bool) -> int:
    """The mode of a private file."""
    return 0o640 if group_reads else 0o600


def make_directory(path: Path, *, group_reads: bool = False) -> None:
    """Create the directory and missing parents. Existing ones are left alone: others may need access."""
    missing = list(takewhile(lambda each: not each.exists(), (path, *path.parents)))
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o750 if group_reads else 0o700)


def own_directory(path: Path) -> None:
    """Create the directory or take access away from others, so that its existing content is private, too."""
    make_directory(path)
    with suppress(PermissionError):
        path.chmod(0o700)


def make_file(path: Path, *, group_reads: bool = False) -> bool:
    """Create an empty file unless it exists, then `restrict` it."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, mode(group_reads=group_reads)))
    return restrict(path, group_reads=group_reads)


def restrict(path: Path, *, group_reads: bool = False) -> bool:
    """Take permissions on an existing file away from others.

    False if that is impossible: the file belongs to another user, or its file system has no permissions.
    """
    wanted = mode(group_reads=group_reads)
    if path.exists() and path.stat().st_mode & 0o777 != wanted:
        with suppress(PermissionError):
            path.chmod(wanted)
        return path.stat().st_mode & 0o777 == wanted
    return True


def write(path: Path, content: bytes) -> None:
    """Write the file, replacing an existing one atomically."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)
