"""A database with webhooks at work, and receivers that answer as a test wants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from email_consumer.core.metrics import Metrics
from email_consumer.outbox.outbox import Outbox
from email_consumer.outbox.recording import record
from email_consumer.runtime.tasks import end
from email_consumer.webhooks.deliverer import Deliverer
from email_consumer.webhooks.endpoint import Endpoint
from email_consumer.webhooks.endpoints import Endpoints
from email_consumer.webhooks.fan_out import FanOut
from email_consumer.webhooks.sender import WebhookSender, webhook_sender
from tests.integration.feedback.harness import FeedbackHarness, open_harness

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def well(_request: web.Request) -> web.Response:
    return web.Response()


@dataclass
class Received:
    headers: Mapping[str, str]
    body: str

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found


@dataclass
class Receiver:
    """Somebody else's server."""

    url: str
    answering: Answering = well
    received: list[Received] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        found = Received(dict(request.headers), (await request.read()).decode())
        async with self.changed:
            self.received.append(found)
            self.changed.notify_all()
        return await self.answering(request)

    async def until(self, count: int) -> list[Received]:
        """Until so many have come, repeated ones included."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.received) >= count)
        return self.received

    @property
    def uuids(self) -> list[str]:
        return [each.event["uuid"] for each in self.received]


@asynccontextmanager
async def receiver(answering: Answering = well, *, port: int = 0) -> AsyncIterator[Receiver]:
    found = Receiver("", answering)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield found
    finally:
        await runner.cleanup()


@dataclass
class WebhooksHarness:
    feedback: FeedbackHarness
    endpoints: Endpoints
    sender: WebhookSender
    deliverer: Deliverer
    metrics: Metrics

    async def add(self, url: str, **filters: Any) -> Endpoint:
        wanted = {"types": None, "topics": None, "lane": None} | filters
        return await self.endpoints.add(url, **wanted)

    async def send(self, first: int, count: int, **fields: object) -> None:
        """Mail that SES takes: one event each."""
        for number in range(first, first + count):
            await self.feedback.send(f"u-{number}", f"ses-{number}", **fields)

    def deliveries(self) -> list[tuple[Any, ...]]:
        return self.feedback.rows(
            "SELECT endpoint_id, event_id, attempts, next_at IS NOT NULL, delivered_at IS NOT NULL, error"
            " FROM webhook_deliveries ORDER BY id"
        )


@asynccontextmanager
async def webhooks(path: Path, *, allow_private: bool = True, sender: str = "") -> AsyncIterator[WebhooksHarness]:
    """One process's life."""
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        feedback = await stack.enter_async_context(open_harness(path))
        outbox = Outbox(feedback.database, "0123456789abcdef", metrics)
        endpoints = Endpoints(feedback.database, metrics, allow_private=allow_private)
        client = await stack.enter_async_context(webhook_sender(allow_private=allow_private))
        deliverer = Deliverer(endpoints, client, metrics)
        await endpoints.load()
        fan_out = FanOut(outbox, endpoints, deliverer.due, sender)
        await fan_out.prepare()
        await record(feedback.database)
        for run in (deliverer.run, fan_out.run, outbox.run):
            stack.push_async_callback(end, asyncio.create_task(run()))
        yield WebhooksHarness(feedback, endpoints, client, deliverer, metrics)
