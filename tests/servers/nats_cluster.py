"""Three real nats-servers as one JetStream cluster on loopback, for what only replicas can show."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import nats
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports

_NODES = ("a", "b", "c")
_POLL = 0.1
_LIMIT = 120
"""Seconds in which three nodes have a leader, on a machine that does much else."""


class NatsCluster:
    """`async with NatsCluster(tmp_path) as cluster:` runs three nodes, with a leader, until the block ends."""

    def __init__(self, directory: Path) -> None:
        ports = free_ports(len(_NODES))
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
        self.nodes = {
            name: NatsServer(
                directory / name,
                f"server_name: {name}\n"
                f'cluster {{ name: test, listen: "127.0.0.1:{port}", routes: [{routes}], no_advertise: true }}',
            )
            for name, port in zip(_NODES, ports, strict=True)
        }
        """By the name that JetStream tells of a leader."""
        self._stack = AsyncExitStack()

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes.values()]

    async def __aenter__(self) -> Self:
        for node in self.nodes.values():
            await self._stack.enter_async_context(node)
        try:
            async with asyncio.timeout(_LIMIT):
                await self._elected()
        except TimeoutError:
            await self._stack.aclose()
            logs = [f"{name}: {line}" for name, node in self.nodes.items() for line in node.log[-20:]]
            raise RuntimeError("the cluster has no leader:\n" + "\n".join(logs)) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _elected(self) -> None:
        """Until there is a leader; nothing but asking tells."""
        client = await nats.connect(self.urls)
        try:
            while True:
                try:
                    await client.jetstream().stream_info("none")
                except NotFoundError:
                    return
                except (NatsError, TimeoutError):
                    await asyncio.sleep(_POLL)
        finally:
            await client.close()
