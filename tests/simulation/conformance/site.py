"""A NATS server, real or modelled, and clients of it."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Protocol

from nats.aio.client import Client

from tests.servers.nats import NatsServer
from tests.simulation.jetstream.network import Network
from tests.simulation.jetstream.server import Server
from tests.simulation.world import World
from tests.waiting import patience

_LIMIT = 600.0
"""Seconds of virtual time after which a test is given up."""
_ACCOUNTS = 200
_MOMENT = 0.001
"""Seconds."""
_CLIENT = {"max_reconnect_attempts": -1, "reconnect_time_wait": 1, "ping_interval": 5, "pending_size": 16 * 1024 * 1024}


class Site(Protocol):
    """What a test body works with."""

    async def connect(self, **options: Any) -> Client:
        """A client, with nats-py's options; it is closed at the end."""

    async def stop(self) -> None:
        """Stop the server."""

    async def start(self) -> None:
        """Start it again."""

    async def remember(self) -> None:
        """What the server has stored by now is on its disk; all clients are connected afterwards."""

    async def forget(self, what: "Forgotten") -> None:
        """The server is killed, and comes back without what it has stored of this since `remember`, in the stream `s`."""


Forgotten = Literal["messages", "deliveries"]
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

    async def remember(self) -> None:
        await self._while_stopped(lambda: shutil.copytree(self._folder, self._remembered))

    async def forget(self, what: Forgotten) -> None:
        part = {"messages": "msgs", "deliveries": "obs"}[what]

        def exchange() -> None:
            shutil.rmtree(self._folder / part)
            shutil.copytree(self._remembered / part, self._folder / part)

        await self._while_stopped(exchange)

    @property
    def _folder(self) -> Path:
        return self._server.store / "jetstream" / f"t{self._account}" / "streams" / "s"

    @property
    def _remembered(self) -> Path:
        return Path(self._directory.name) / f"remembered-{self._account}"

    async def _while_stopped(self, change: Callable[[], object]) -> None:
        before = [client.stats["reconnects"] for client in self._clients]
        await self._server.stop()  # with everything written
        change()
        await self._server.restart()
        await _until_back(self._clients, before)

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
        self._remembered = 0.0
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

    async def remember(self) -> None:
        await asyncio.sleep(_MOMENT)
        self._remembered = self._world.now
        await asyncio.sleep(_MOMENT)

    async def forget(self, what: Forgotten) -> None:
        since = self._world.now - self._remembered
        before = [client.stats["reconnects"] for client in self._clients]
        self.server.stop()
        self.server.forget(lambda: since if what == "messages" else 0.0, lambda: since if what == "deliveries" else 0.0)
        self.server.start()
        await _until_back(self._clients, before)

    async def _run(self, body: Body) -> None:
        try:
            await body(self)
        finally:
            self.server.start()
            for client in self._clients:
                await client.close()
            await asyncio.sleep(1)


async def _until_back(clients: list[Client], before: list[int]) -> None:
    """All are connected again; `before`: how often each had been by then."""
    for client, reconnects in zip(clients, before, strict=True):
        while client.stats["reconnects"] == reconnects or not client.is_connected:  # noqa: ASYNC110 - without callbacks
            await asyncio.sleep(_MOMENT)
