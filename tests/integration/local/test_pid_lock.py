"""A lock file never makes us end a process that has nothing to do with it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from email_consumer.local.pid_lock import PidLock, StillHeldError

_HOLDER = """
import fcntl, sys, time
lock = open(sys.argv[1], "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(600)
"""


async def _running(*arguments: str) -> Process:
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    assert process.stdout
    await process.stdout.readline()
    return process


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def _name(path: Path, holder: str) -> None:
    path.write_text(holder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


async def test_the_holder_that_the_file_names_is_ended(path: Path) -> None:
    holder = await _running("-c", _HOLDER, str(path))
    _name(path, str(holder.pid))
    lock = PidLock(path)
    await asyncio.to_thread(lock.acquire_from_leftover, 5)
    assert await holder.wait() == -signal.SIGTERM
    lock.close()


async def test_an_innocent_process_that_the_file_names_lives_on(path: Path) -> None:
    """The file was written before the lock was taken, or in another container, and the pid was given out again."""
    holder = await _running("-c", _HOLDER, str(path))
    innocent = await _running("-c", "print(1, flush=True); import time; time.sleep(600)")
    try:
        _name(path, str(innocent.pid))
        with pytest.raises(StillHeldError, match="lsof"):
            await asyncio.to_thread(PidLock(path).acquire_from_leftover, 0.1)
        os.kill(innocent.pid, 0)
        assert innocent.returncode is None
        assert holder.returncode is None
    finally:
        await _end(innocent)
        await _end(holder)


@pytest.mark.parametrize("text", ["-1", "0", "", "no number", "1\n2", "99999999999999999999", "\x00\xff"])
async def test_what_is_no_pid_is_none(path: Path, text: str) -> None:
    """-1 would mean every process that we may signal."""
    holder = await _running("-c", _HOLDER, str(path))
    try:
        _name(path, text)
        with pytest.raises(StillHeldError):
            await asyncio.to_thread(PidLock(path).acquire_from_leftover, 0.1)
        assert PidLock(path).holder() == 0
    finally:
        await _end(holder)


def test_others_can_not_open_it_and_so_not_hold_it(path: Path) -> None:
    path.touch(mode=0o644)
    lock = PidLock(path)
    assert lock.acquire()
    assert path.stat().st_mode & 0o777 == 0o600
    lock.close()
