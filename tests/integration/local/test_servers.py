"""Local mode's servers: real processes, found again and cleaned up whatever ended the daemon."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import nats
import pytest

from email_consumer.local import program
from email_consumer.local.pid_lock import PidLock
from email_consumer.local.program import Program
from email_consumer.local.server_process import ServerProcess, ServerStartError
from email_consumer.local.servers import DataInUseError, LocalServers, running_nats_url
from tests.waiting import patience, until

_DAEMON = """
import asyncio, sys
from pathlib import Path
from email_consumer.local.servers import LocalServers

async def main():
    async with LocalServers(Path(sys.argv[1]), 3000) as servers:
        print(servers.nats_url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def _other_daemon(data: Path) -> AsyncIterator[Process]:
    """A process that runs the servers, once they are up; killed at the end, and then they are too."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _DAEMON, str(data), stdout=PIPE)
    assert process.stdout
    assert (await process.stdout.readline()).startswith(b"nats://")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        for server in ("nats", "sandbox"):
            lock = PidLock(data / server / "lock")
            await asyncio.to_thread(lock.acquire_from_leftover, 5)
            lock.close()


def _holder(data: Path, server: str) -> int:
    return PidLock(data / server / "lock").holder()


async def test_both_answer_and_both_end_with_the_block(tmp_path: Path) -> None:
    async with LocalServers(tmp_path, 3000) as servers, aiohttp.ClientSession() as session:
        client = await nats.connect(servers.nats_url)
        assert (await client.jetstream().account_info()).streams == 0
        await client.close()
        async with session.get(servers.ses_endpoint + "/messages") as answer:
            assert answer.status == 200
        assert running_nats_url(tmp_path) == servers.nats_url
        assert _holder(tmp_path, "nats")
        assert _holder(tmp_path, "sandbox")
    assert running_nats_url(tmp_path) is None
    assert not _holder(tmp_path, "nats")
    assert not _holder(tmp_path, "sandbox")


async def test_streams_outlive_the_servers(tmp_path: Path) -> None:
    for expected in (1, 2):
        async with LocalServers(tmp_path, 3000) as servers:
            client = await nats.connect(servers.nats_url)
            stream = client.jetstream()
            await stream.add_stream(name="kept", subjects=["kept.*"])
            assert (await stream.publish("kept.one", b"payload")).seq == expected
            await client.close()


async def test_what_a_killed_daemon_left_is_ended_first(tmp_path: Path) -> None:
    async with _other_daemon(tmp_path) as daemon:
        daemon.kill()
        await daemon.wait()
        left = _holder(tmp_path, "nats"), _holder(tmp_path, "sandbox")
        assert all(left)
        assert running_nats_url(tmp_path) is None
        async with LocalServers(tmp_path, 3000):
            now = _holder(tmp_path, "nats"), _holder(tmp_path, "sandbox")
            assert all(now)
            assert not set(left) & set(now)


async def test_a_second_daemon_on_the_same_data_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    async with _other_daemon(tmp_path) as daemon:
        with pytest.raises(DataInUseError, match=rf"pid {daemon.pid}\b"):
            await LocalServers(tmp_path, 3000).__aenter__()
        assert _holder(tmp_path, "nats")


async def test_a_server_that_dies_comes_back_on_the_same_port(tmp_path: Path) -> None:
    back = asyncio.Event()

    async def reconnected() -> None:
        back.set()

    async def silent(_: Exception) -> None:
        """The refusals meanwhile are expected."""

    async with LocalServers(tmp_path, 3000) as servers:
        dead = _holder(tmp_path, "nats")
        client = await nats.connect(
            servers.nats_url,
            reconnected_cb=reconnected,
            error_cb=silent,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.05,
        )
        os.kill(dead, signal.SIGKILL)
        async with patience():
            await back.wait()
        await until(lambda: _holder(tmp_path, "nats") not in {0, dead})
        await client.close()


async def test_a_server_that_can_t_be_started_again_at_first_comes_back(tmp_path: Path) -> None:
    attempts = []

    def command(port: int) -> list[str]:
        attempts.append(port)
        if len(attempts) == 2:
            raise OSError("no space left on device")  # its configuration can't be written
        ends = "time.sleep(0.2)" if len(attempts) == 1 else "time.sleep(60)"
        return [sys.executable, "-c", f"import time; print('ready', flush=True); {ends}"]

    program = Program("short-lived", tmp_path / "server", 0, command, lambda line: line == "ready")
    async with ServerProcess(program):
        await until(lambda: len(attempts) == 3)
        await until(lambda: PidLock(tmp_path / "server" / "lock").holder())


async def test_a_taken_port_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(program, "SANDBOX_PORT", port)  # the usual one may be another's at this moment
        async with LocalServers(tmp_path, 3000) as servers:
            assert not servers.ses_endpoint.endswith(f":{port}")


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = Program("broken", tmp_path, 1, lambda _: [sys.executable, "-c", "print('no disk')"], lambda _: False)
    with pytest.raises(ServerStartError, match=r"(?s)broken does not start.*no disk"):
        await ServerProcess(broken).__aenter__()
