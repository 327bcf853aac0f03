"""A sandbox for a test: a free port on loopback, a data directory that outlives a kill."""

import asyncio
import functools
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Self, cast

import aiohttp
import orjson

from ses_sandbox.config import SandboxConfig
from ses_sandbox.server import serve
from ses_sandbox.sns.certificate import load_or_create
from ses_sandbox.testing.control import Control
from ses_sandbox.testing.ports import stable_port


@functools.cache
def _certificate() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as made:
        load_or_create(Path(made))
        return {path.name: path.read_bytes() for path in Path(made).iterdir()}


def _provide_certificate(data: Path) -> None:
    """The same key for all sandboxes of a process: generating one takes as long as the rest of a start."""
    data.mkdir(parents=True, exist_ok=True)
    for name, content in _certificate().items():
        if not (data / name).exists():
            (data / name).write_bytes(content)


class SandboxTask(Control):
    """`async with SandboxTask(tmp_path) as sandbox:` runs one in the test's event loop: quick to start.

    Args:
        data: directory of the sandbox.
        options: further settings of `SandboxConfig`.
    """

    def __init__(self, data: Path, **options: Any) -> None:
        self._config = SandboxConfig(data=data, **options)

    async def __aenter__(self) -> Self:
        _provide_certificate(self._config.data)
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._server = asyncio.create_task(serve(self._config, ready.set_result))
        racing: set[asyncio.Future[Any]] = {self._server, ready}
        await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await self._server  # raises what went wrong
        self.url = ready.result()
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._server.cancel()
        await asyncio.wait([self._server])


class SandboxProcess(Control):
    """`async with SandboxProcess(tmp_path) as sandbox:` runs one until the block ends.

    Args:
        data: directory of the sandbox; a restart uses it again.
        options: further command line options.
    """

    def __init__(self, data: Path, *options: str) -> None:
        self._data = data
        self._options = options
        self._port = stable_port()
        self._process: Process | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self.stop()

    async def start(self) -> None:
        """Run it, on the same port each time."""
        _provide_certificate(self._data)
        options = ("--data", str(self._data), "--port", str(self._port), *self._options)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ses_sandbox", *options, stdout=PIPE, env=os.environ | {"TZ": "UTC"}
        )
        line = await cast("asyncio.StreamReader", self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"the sandbox did not start; exit code {await self._process.wait()}")
        self.url = orjson.loads(line)["url"]

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int | None:
        """SIGTERM; returns the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            process.send_signal(how)
        await process.communicate()
        return process.returncode
