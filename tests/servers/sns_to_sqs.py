"""SNS's way into an SQS queue, which neither stand-in knows of: what the one posts is put into the other."""

import asyncio
from typing import Self

from aiohttp import web

from email_consumer.runtime.tasks import end
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
        self._arrived: asyncio.Queue[tuple[str, asyncio.Future[None]]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self.queue = await self._server.create_queue("events")
        application = web.Application(client_max_size=2**20)
        application.router.add_post("/", self._forward)
        self._runner = web.AppRunner(application, access_log=None)
        self._forwarding = asyncio.create_task(self._forward_all())
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.flowing.set()
        await self._runner.cleanup()
        await end(self._forwarding)

    async def _forward(self, request: web.Request) -> web.Response:
        stored = asyncio.get_running_loop().create_future()
        self._arrived.put_nowait((await request.text(), stored))
        await stored
        return web.Response()

    async def _forward_all(self) -> None:
        """What came meanwhile goes in one batch: the stand-in for SQS is slow at single messages."""
        while True:
            batch = [await self._arrived.get()]
            await self.flowing.wait()
            while not self._arrived.empty():
                batch.append(self._arrived.get_nowait())
            await self.queue.send([text for text, _ in batch])
            for _, stored in batch:
                if not stored.done():  # SNS may have given up
                    stored.set_result(None)
