"""A real nats-server for tests: its own process, a free port on loopback, a JetStream store that outlives a kill."""

import asyncio
import os
import shutil
import signal
import sysconfig
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from tests.servers.ports import free_ports
from tests.waiting import patience

_BINARY = os.environ.get("TEST_NATS_SERVER") or Path(sysconfig.get_path("scripts")) / "nats-server"
"""`./run.sh matrix` sets the variable to an older one."""


class NatsServer:
    """`async with NatsServer(tmp_path) as server:` runs one until the block ends.

    Args:
        directory: holds the configuration and the JetStream store.
        host: the loopback address it listens on.
        config: further lines of nats-server configuration, such as an `authorization` or `tls` block.
    """

    def __init__(self, directory: Path, config: str = "", *, host: str = "127.0.0.1") -> None:
        self._directory = directory
        self._config = config
        self._host = f"[{host}]" if ":" in host else host
        [self._port] = free_ports(1)  # a restart asks for the same again
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.log: list[str] = []
        """What the server has printed so far, over all its lives."""

    @property
    def url(self) -> str:
        return f"nats://{self._host}:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def store(self) -> Path:
        """The folder of JetStream's store."""
        return self._directory / "jetstream"

    @property
    def pid(self) -> int:
        """Of the server that runs."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def kill(self) -> None:
        """SIGKILL, as a crash would; the store stays as it is."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """An orderly end. Stopping what does not run is no error."""
        await self._end(signal.SIGTERM)

    async def restart(self) -> None:
        """Run again on the same port and store; a server that still runs is stopped first."""
        await self.stop()
        await self._start()

    @asynccontextmanager
    async def forgetting(self, part: str = "") -> AsyncIterator[None]:
        """What the server stores until the block ends, it acknowledges and forgets, as one may that is killed.

        `part`: of its store; everything else stays. Clients have to reconnect, at the beginning and at the end.
        """
        folder, before = self.store / part, self._directory / "before"
        await self.stop()
        shutil.copytree(folder, before)
        await self.restart()
        yield
        await self.stop()
        shutil.rmtree(folder)
        before.rename(folder)
        await self.restart()

    async def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "nats-server.conf"
        config.write_text(
            f'listen: "{self._host}:{self._port}"\njetstream {{ store_dir: "{self.store}" }}\n{self._config}\n'
        )
        self._process = await asyncio.create_subprocess_exec(
            _BINARY, "-c", config, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
        ready = asyncio.Event()
        self._reader = asyncio.create_task(self._read(self._process, ready))
        async with patience():
            await ready.wait()
        if self._process.returncode is not None:
            raise RuntimeError("nats-server did not start:\n" + "\n".join(self.log[-20:]))

    async def _read(self, process: Process, ready: asyncio.Event) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            text = line.decode(errors="replace").rstrip()
            self.log.append(text)
            if "Server is ready" in text:
                ready.set()
        await process.wait()
        ready.set()

    async def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._reader is None:
            return
        if self._process.returncode is None:
            self._process.send_signal(how)
        try:
            async with patience():
                await self._reader
        except TimeoutError:
            self._process.kill()
            raise
        self._process = self._reader = None
