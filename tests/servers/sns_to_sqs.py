"""SNS's way into an SQS queue, which neither stand-in knows of: what the one posts is put into the other."""

import asyncio
from typing import Self

from aiohttp import web

from tests.servers.sqs import SqsServer, TestQueue


class SnsToSqs:
    """`async with SnsToSqs(server) as bridge:` takes SNS's posts at `bridge.url` until the block ends."""

    queue: TestQueue
    url: str

    def __init__(self, server: SqsServer) -> None:
        self._server = server
        self.flowing = asyncio.Event()
        """While this is cleared, SNS gets no answer and keeps what it has."""
        self.flowing.set()

    async def __aenter__(self) -> Self:
        self.queue = await self._server.create_queue("events")
        application = web.Application(client_max_size=2**20)
        application.router.add_post("/", self._forward)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.flowing.set()
        await self._runner.cleanup()

    async def _forward(self, request: web.Request) -> web.Response:
        text = await request.text()
        await self.flowing.wait()
        await self.queue.send([text])
        return web.Response()
