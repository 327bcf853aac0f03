"""`email-consumer run --local` as a person meets it: what it says, and the line it offers to paste."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
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


async def test_a_signal_before_the_daemon_is_up_leaves_nothing_behind(tmp_path: Path) -> None:
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
