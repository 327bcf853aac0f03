"""What SNS and `doctor` see of a sidecar: it is healthy, and it confirms subscriptions."""

import asyncio
from typing import Self

import aioboto3
import orjson
from aiohttp import web

from email_consumer.web.server import Server
from tests.waiting import patience


class Sidecar:
    """`async with Sidecar() as sidecar:` listens until the block ends."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        app.router.add_post("/v1/events/results", self._confirm)
        self._server = Server(app, 0, host="127.0.0.1")
        self._confirmed = asyncio.Event()
        self.sns_endpoint = ""
        """Where subscriptions are confirmed; until it is set they stay pending."""
        self.health = 200
        self.reasons: dict[str, str] = {}
        """What lets no mail through."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def events_url(self) -> str:
        return f"{self.url}/v1/events/results"

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def wait_confirmed(self) -> None:
        """Until a subscription was confirmed since the last such wait."""
        async with patience():
            await self._confirmed.wait()
        self._confirmed.clear()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=self.health)

    async def _ready(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"ready": not self.reasons, "up": [], "down": [*self.reasons], "reasons": self.reasons}
        )

    async def _confirm(self, request: web.Request) -> web.Response:
        envelope = orjson.loads(await request.read())
        if not self.sns_endpoint:
            return web.Response(status=500)
        region = envelope["TopicArn"].split(":")[3]
        async with aioboto3.Session(region_name=region).client("sns", endpoint_url=self.sns_endpoint) as sns:
            await sns.confirm_subscription(TopicArn=envelope["TopicArn"], Token=envelope["Token"])
        self._confirmed.set()
        return web.Response()
