"""The SQLite file: present or creatable, free disk space, its lock and its version."""

import os
import re
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from email_consumer.doctor.finding import Finding, error, ok, warning
from email_consumer.runtime import private_files
from email_consumer.store.database import newest_version

_GIB = 2**30
_LOCKS = Path("/proc/locks")


def check_storage(
    path: Path, *, group_reads: bool = False, low: float = 2 * _GIB, very_low: float = 0.2 * _GIB
) -> list[Finding]:
    """DB_PATH, without opening it for writing or taking its lock: a daemon may be about to start.

    `group_reads` is DB_GROUP_READ; `low` and `very_low`: bytes of free space that call for a warning and an error.
    """
    directory = _nearest(path.absolute().parent)
    if not os.access(directory, os.W_OK | os.X_OK):
        return [_not_writable(directory)]
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return [_not_writable(path)]
    file = [_version(path), _holder(path), _rights(path, group_reads=group_reads)] if path.exists() else [_absent(path)]
    return [_space(directory, low, very_low), *file]


def _nearest(directory: Path) -> Path:
    while not directory.exists():
        directory = directory.parent
    return directory


def _not_writable(path: Path) -> Finding:
    return error(
        "storage.writable",
        f"DB_PATH: {path} can't be written by user {os.getuid()}.",
        f"`chown {os.getuid()} {path}`, or name another place in DB_PATH; in a container, mount a volume there.",
    )


def _space(directory: Path, low: float, very_low: float) -> Finding:
    free = shutil.disk_usage(directory).free
    text = f"{free / _GIB:.1f} GiB are free in {directory}"
    if free < very_low:
        return error("storage.space", f"{text}: sending stops when the disk is full.", _MAKE_ROOM)
    if free < low:
        return warning("storage.space", f"{text}; sending stops when the disk is full.", _MAKE_ROOM)
    return ok("storage.space", f"{text}.")


_MAKE_ROOM = "Make room, or lower RETENTION_DAYS."


def _absent(path: Path) -> Finding:
    return ok("storage.file", f"{path} does not exist yet; `email-consumer run` creates it.")


def _version(path: Path) -> Finding:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as failure:
        text = f"DB_PATH: {path} can't be read: {failure}."
        return error(
            "storage.file", text, "If it is not an SQLite file, use another one; if it is damaged, restore a backup."
        )
    if version > newest_version():
        text = f"DB_PATH: {path} was written by a newer email-consumer (version {version})."
        return error("storage.file", text, "Upgrade this one, or name another file.")
    found = f"{path} is there, {path.stat().st_size / 2**20:,.0f} MiB."
    if version < newest_version():
        found += (
            f" The next start brings it from version {version} to {newest_version()}; no older program opens it then."
        )
    return ok("storage.file", found)


def _rights(path: Path, *, group_reads: bool) -> Finding:
    """The files hold addresses and what signs links: who reads that can unsubscribe anybody."""
    allowed = private_files.mode(group_reads=group_reads)
    files = [path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", ".lock"))]
    open_ones = [file for file in files if file.exists() and file.stat().st_mode & 0o777 & ~allowed]
    if open_ones:
        text = f"Other users of this machine may open {', '.join(map(str, open_ones))}."
        fix = f"`chmod {allowed:o} {' '.join(map(str, open_ones))}`; for a group that reads the tables, set DB_GROUP_READ."
        return warning("storage.rights", text, fix)
    directory = path.absolute().parent
    if directory.stat().st_mode & 0o022 and not directory.stat().st_mode & stat.S_ISVTX:
        text = f"Other users of this machine may put a file of theirs in place of {path}."
        return warning("storage.rights", text, f"`chmod go-w {directory}`.")
    return ok("storage.rights", f"Nobody but its owner{' and its group' if group_reads else ''} can read {path}.")


def _holder(path: Path) -> Finding:
    holder = lock_holder(path.with_name(path.name + ".lock"))
    if holder is None:
        return ok("storage.lock", "No email-consumer on this machine has the file open.")
    return ok("storage.lock", f"In use by process {holder}: {_command(holder)}.")


def lock_holder(lock: Path) -> int | None:
    """The process that holds the lock, according to the kernel; None if there is no such process or it is unknown."""
    try:
        inode = lock.stat().st_ino
        locks = _LOCKS.read_text()
    except OSError:
        return None
    # Such as `1: FLOCK  ADVISORY  WRITE 8164 fe:00:9977937 0 EOF`.
    match = re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+[0-9a-f]+:[0-9a-f]+:{inode}\s", locks)
    return int(match[1]) if match else None


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "in another container"
    return " ".join(words).strip()[:100]
