"""What a client reports of its connection."""

import asyncio

from nats.aio.client import Client

from tests.simulation.conformance.site import Site


class ConnectionLog:
    """In order; refused attempts to connect come in any number and are left out."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.changed = asyncio.Event()

    async def connect(self, site: Site, **options: object) -> Client:
        return await site.connect(
            disconnected_cb=self.disconnected,
            reconnected_cb=self.reconnected,
            closed_cb=self.closed,
            error_cb=self.error,
            **options,
        )

    async def disconnected(self) -> None:
        self._note("disconnected")

    async def reconnected(self) -> None:
        self._note("reconnected")

    async def closed(self) -> None:
        self._note("closed")

    async def error(self, error: Exception) -> None:
        """Refused connections come in any number."""

    async def until(self, what: str) -> None:
        async with asyncio.timeout(60):
            while what not in self.seen:
                self.changed.clear()
                await self.changed.wait()

    def _note(self, what: str) -> None:
        self.seen.append(what)
        self.changed.set()
