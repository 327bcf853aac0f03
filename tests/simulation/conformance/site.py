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
from tests.waiting import patience

_LIMIT = 600.0
"""Seconds of virtual time after which a test is given up."""
_ACCOUNTS = 200
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
    """A real nats-server, which serves many tests one after the other: each in an account of its own."""

    def __init__(self) -> None:
        self._directory = TemporaryDirectory()
        names = ", ".join(
            f"t{number} {{ jetstream: enabled, users: [{{ user: t{number}, password: p }}] }}"
            for number in range(_ACCOUNTS)
        )
        self._server = NatsServer(Path(self._directory.name), f"accounts {{ {names} }}")
        self._runner = asyncio.Runner()
        self._account = -1
        self._clients: list[Client] = []
        self._runner.run(self._server.__aenter__())

    def close(self) -> None:
        self._runner.run(self._server.stop())
        self._runner.close()
        self._directory.cleanup()

    def run(self, body: Body) -> None:
        self._account += 1
        self._runner.run(self._run(body))

    async def connect(self, **options: Any) -> Client:
        client = Client()
        await client.connect(self._server.url, user=f"t{self._account}", password="p", **{**_CLIENT, **options})
        self._clients.append(client)
        return client

    async def stop(self) -> None:
        await self._server.stop()

    async def start(self) -> None:
        await self._server.restart()

    async def _run(self, body: Body) -> None:
        try:
            async with patience():
                await body(self)
        finally:
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
        self._clients: list[Client] = []

    def run(self, body: Body) -> None:
        with self._world.running():
            task = self._process.spawn(self._run(body))
            self._world.run(task.done, limit=_LIMIT)
            task.result()
        assert not self._world.unhandled

    async def connect(self, **options: Any) -> Client:
        client = await self._network.connect(self._process, **{**_CLIENT, **options})
        self._clients.append(client)
        return client

    async def stop(self) -> None:
        self.server.stop()

    async def start(self) -> None:
        self.server.start()

    async def _run(self, body: Body) -> None:
        try:
            await body(self)
        finally:
            self.server.start()
            for client in self._clients:
                await client.close()
            await asyncio.sleep(1)
