"""A NATS server, real or modelled, and clients of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from nats.aio.client import Client

from tests.servers.nats import NatsServer
from tests.simulation.jetstream.network import Network
from tests.simulation.jetstream.server import Server
from tests.simulation.world import World

_LIMIT = 600.0
"""Seconds of virtual time after which a test is given up."""
_CLIENT = {"max_reconnect_attempts": -1, "reconnect_time_wait": 1, "ping_interval": 5, "pending_size": 16 * 1024 * 1024}


class Site(Protocol):
    """What a test body works with."""

    async def connect(self, **options: Any) -> Client:
        """A client, with nats-py's options; it is closed at the end."""

    async def stop(self) -> None:
        """Stop the server."""

    async def start(self) -> None:
        """Start it again."""


Body = Callable[[Site], Awaitable[None]]
Run = Callable[[Body], None]


class RealSite:
    """A real nats-server, which serves many tests one after the other."""

    def __init__(self) -> None:
        self._directory = TemporaryDirectory()
        self._server = NatsServer(Path(self._directory.name))
        self._runner = asyncio.Runner()
        self._clients: list[Client] = []
        self._runner.run(self._server.__aenter__())

    def close(self) -> None:
        self._runner.run(self._server.stop())
        self._runner.close()
        self._directory.cleanup()

    def run(self, body: Body) -> None:
        self._runner.run(self._run(body))

    async def connect(self, **options: Any) -> Client:
        client = Client()
        await client.connect(self._server.url, **{**_CLIENT, **options})
        self._clients.append(client)
        return client

    async def stop(self) -> None:
        await self._server.stop()

    async def start(self) -> None:
        await self._server.restart()

    async def _run(self, body: Body) -> None:
        try:
            async with asyncio.timeout(60):
                await body(self)
        finally:
            jetstream = (await self.connect()).jetstream()
            for stream in await jetstream.streams_info():
                await jetstream.delete_stream(stream.config.name or "")
            for client in self._clients:
                await client.close()
            self._clients.clear()


class ModelSite:
    """The model, in a world of its own."""

    def __init__(self, seed: int) -> None:
        self._world = World(seed)
        self.server = Server(self._world)
        self._network = Network(self._world, self.server)
        self._process = self._world.process("test")

    def run(self, body: Body) -> None:
        with self._world.running():
            task = self._process.spawn(_finished(body(self)))
            self._world.run(task.done, limit=_LIMIT)
            task.result()
        assert not self._world.unhandled

    async def connect(self, **options: Any) -> Client:
        return await self._network.connect(self._process, **{**_CLIENT, **options})

    async def stop(self) -> None:
        self.server.stop()

    async def start(self) -> None:
        self.server.start()


async def _finished(work: Awaitable[None]) -> None:
    await work
