"""`email-consumer run --local` as a person meets it: what it says, and the line it offers to paste."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from ipaddress import ip_address
from pathlib import Path

import aiohttp

from email_consumer.local.pid_lock import PidLock
from tests.servers.daemon import Daemon

_REAL_ACCOUNT = {"AWS_ACCESS_KEY_ID": "AKIALIVE", "AWS_SECRET_ACCESS_KEY": "live", "AWS_SESSION_TOKEN": "live"}


def _said(daemon: Daemon) -> str:
    return "\n".join(str(line["event"]) for line in daemon.log)


async def _paste(line: str, directory: Path) -> str:
    """As in another terminal: without what the daemon was given."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    shell = await asyncio.create_subprocess_shell(line, cwd=directory, env=environ, stdout=PIPE)
    out, _ = await shell.communicate()
    return out.decode()


async def test_the_pasted_line_makes_a_mail_appear_in_the_sandbox(tmp_path: Path) -> None:
    async with Daemon(tmp_path, _REAL_ACCOUNT | {"SERVER_PORT": "0"}, "run", "--local") as daemon:
        said = _said(daemon)
        assert "NO REAL MAIL leaves it" in said
        page = re.search(r"(http://127\.0\.0\.1:\d+)/ +the sandbox", said)
        line = re.search(r"^ *(echo .*publish --to you@example.com .*)$", said, re.MULTILINE)
        assert page
        assert line
        assert (await _paste(line[1], tmp_path)).startswith("1 stored in stream messages: ")
        async with aiohttp.ClientSession(page[1]) as session:
            async with session.get("/messages/wait", params={"count": 1, "timeout": 30}) as answer:
                assert (await answer.json())["reached"]
            async with session.get("/messages") as answer:
                (mail,) = (await answer.json())["messages"]
        assert "you@example.com" in str(mail)
        assert await daemon.stop() == 0
    for server in ("nats", "sandbox"):
        assert not PidLock(tmp_path / "data" / server / "lock").holder()


async def test_where_nats_url_is_set_the_pasted_line_names_the_local_server(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NATS_URL=nats://nats.invalid:4222\nNATS_TOKEN=real\n")
    async with Daemon(tmp_path, {"SERVER_PORT": "0"}, "run", "--local") as daemon:
        line = re.search(r"^ *(echo .*)$", _said(daemon), re.MULTILINE)
        assert line
        assert (await _paste(line[1], tmp_path)).startswith("1 stored in stream messages: ")
        assert await daemon.stop() == 0


async def test_a_second_one_on_the_same_data_says_so_and_exits(tmp_path: Path) -> None:
    async with Daemon(tmp_path, {"SERVER_PORT": "0"}, "run", "--local") as daemon:
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "email_consumer", "run", "--local"), cwd=tmp_path, stdout=PIPE, stderr=PIPE
        )
        _, err = await second.communicate()
        assert second.returncode == 1
        assert err.decode().startswith(f"Error: another `run --local` (pid {daemon.pid}) uses data")
        assert await daemon.stop() == 0


async def test_a_signal_before_the_daemon_is_up_leaves_no_processes(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, {"SERVER_PORT": "0"}, "run", "--local")
    await daemon.launch()
    try:
        await daemon.wait_until(lambda: "LOCAL MODE" in _said(daemon))
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == 0
    finally:
        await daemon.kill()
    for server in ("nats", "sandbox"):
        assert not PidLock(tmp_path / "data" / server / "lock").holder()


def _welcome(daemon: Daemon) -> tuple[str, str]:
    """The daemon's URL and the key that it printed."""
    page = re.search(r"(http://localhost:\d+)/ +the daemon itself", _said(daemon))
    key = re.search(r"API key: ([\w-]{32}) ", _said(daemon))
    assert page
    assert key
    return page[1].replace("localhost", "127.0.0.1"), key[1]


async def _status(url: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.request("GET", url, headers=named) as answer:
        return answer.status


async def test_only_this_machine_gets_in_and_only_with_the_key_that_was_printed(tmp_path: Path) -> None:
    async with Daemon(tmp_path, {"SERVER_PORT": "0"}, "run", "--local") as daemon:
        url, key = _welcome(daemon)
        path = f"{url}/v1/suppressions"
        assert await _status(path, X_API_KEY=key) == 200
        assert await _status(path, X_API_KEY="local") == 401
        assert await _status(path, X_API_KEY=key, Host="evil.example.com") == 421
        assert await _status(f"{url}/health", Host="evil.example.com") == 421
        assert await _status(f"{url}/health", Host=f"localhost:{url.rpartition(':')[2]}") == 200
        assert _addresses(daemon.pid) == {"127.0.0.1"}
        listing = await _paste(f"{sys.executable} -m email_consumer suppressions list", tmp_path)
        assert listing == "No address is suppressed.\n"  # the command found the key
        assert _readable_by_others(tmp_path / "data") == []
        assert await daemon.stop() == 0
    async with Daemon(tmp_path, {"SERVER_PORT": "0"}, "run", "--local") as daemon:
        assert _welcome(daemon)[1] == key
        assert await daemon.stop() == 0


async def test_a_key_that_was_given_is_the_key(tmp_path: Path) -> None:
    given = {"SERVER_PORT": "0", "API_KEY": "local"}
    async with Daemon(tmp_path, given, "run", "--local") as daemon:
        port = daemon.said("sidecar.listening")["port"]
        assert "the one in API_KEY" in _said(daemon)
        assert await _status(f"http://127.0.0.1:{port}/v1/suppressions", X_API_KEY="local") == 200
        listing = await _paste(f"{sys.executable} -m email_consumer suppressions list", tmp_path)
        assert listing == "No address is suppressed.\n"
        assert await daemon.stop() == 0


def _readable_by_others(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*") if path.stat().st_mode & 0o077]


def _addresses(pid: int) -> set[str]:
    """Where the process, and what it started, listens, by the kernel's tables."""
    family = {pid} | {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    sockets = set()
    for member in family:
        for descriptor in Path(f"/proc/{member}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(str(descriptor.readlink()))
    found = set()
    for table, width in (("tcp", 4), ("tcp6", 16)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                words = bytes.fromhex(fields[1].partition(":")[0])
                swapped = b"".join(words[at : at + 4][::-1] for at in range(0, width, 4))
                found.add(str(ip_address(swapped)))
    return found
