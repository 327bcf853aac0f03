"""How events are produced and posted, and what has become of them."""

import asyncio
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ses_sandbox.control.wire import number, patience, read_model, reply
from ses_sandbox.events.settings import EventSettings, EventType
from ses_sandbox.sns.delivery_worker import DeliveryWorker
from ses_sandbox.sns.outbox import SUBJECT, Outbox
from ses_sandbox.sns.topics import Topics


class EventsChange(BaseModel):
    """What is to change of `EventSettings`; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = True
    types: tuple[EventType, ...] = ()
    duplicates: int = Field(default=1, ge=1, le=100)
    delay: float = Field(default=0, ge=0)
    shuffle: bool = False
    retry_delay: float = Field(default=0, ge=0)
    max_retries: int | None = Field(default=None, ge=0)
    signature_version: Literal["1", "2"] = "1"
    raw_delivery: bool = False


def change_events(settings: EventSettings, change: EventsChange) -> None:
    """Change what is given."""
    for name in change.model_fields_set:
        setattr(settings, name, getattr(change, name))


class EventRoutes:
    """`/sandbox/events`."""

    def __init__(
        self, settings: EventSettings, topics: Topics, outbox: Outbox, delivery_worker: DeliveryWorker
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._outbox = outbox
        self._delivery_worker = delivery_worker

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/events", self.show),
            web.put("/sandbox/events", self.change),
            web.post("/sandbox/events", self.publish),
            web.delete("/sandbox/events", self.clear),
            web.get("/sandbox/events/wait", self.wait),
        ]

    async def show(self, _request: web.Request) -> web.Response:
        """Settings, entries pending, and what became of the others since the start."""
        return reply(await self._document())

    async def change(self, request: web.Request) -> web.Response:
        """Change what is given; answer the state as it is then."""
        change_events(self._settings, await read_model(request, EventsChange))
        return reply(await self._document())

    async def publish(self, request: web.Request) -> web.Response:
        """Post the body, any text, to all subscribers (of `topic`, an ARN, if given) in a signed envelope.

        `subject` is SES's by default.
        """
        subscriptions = self._topics.receiving(request.query.get("topic"))
        message_id = await self._outbox.publish(
            subscriptions, await request.text(), request.query.get("subject", SUBJECT)
        )
        return reply({"message_id": message_id, "subscriptions": len(subscriptions)}, status=202)

    async def clear(self, _request: web.Request) -> web.Response:
        """Forget what was to be posted."""
        await self._outbox.clear()
        return reply(await self._document())

    async def wait(self, request: web.Request) -> web.Response:
        """Answer once at most `pending` are left and `delivered` and `failed` are reached, or after `timeout` seconds.

        `reached` says which.
        """
        most = number(request, "pending", 0)
        tally = self._delivery_worker.tally
        delivered, failed = number(request, "delivered", 0), number(request, "failed", 0)

        async def settled() -> bool:
            return tally.delivered >= delivered and tally.failed >= failed and await self._outbox.pending() <= most

        reached = True
        try:
            async with asyncio.timeout(patience(request)):
                await self._outbox.change.wait_until(settled)
        except TimeoutError:
            reached = False
        return reply(await self._document() | {"reached": reached})

    async def _document(self) -> dict[str, Any]:
        settings = {name: getattr(self._settings, name) for name in EventsChange.model_fields}
        tally = self._delivery_worker.tally
        return settings | {
            "pending": await self._outbox.pending(),
            "delivered": tally.delivered,
            "failed": tally.failed,
            "retried": tally.retried,
            "subscriptions": [
                {
                    "arn": each.arn,
                    "topic_arn": each.topic_arn,
                    "endpoint": each.endpoint,
                    "confirmed": each.confirmed,
                }
                for each in self._topics.subscriptions.values()
            ],
        }
