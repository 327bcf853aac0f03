"""Events out, where EVENTS_OUT asks for them: recorded with each outcome, taken to JetStream and to webhooks by services."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

from aiohttp import web

from email_consumer.core.metrics import Metrics
from email_consumer.core.readiness import Check
from email_consumer.jetstream.connection import NatsEndpoint
from email_consumer.jetstream.publisher import Publisher
from email_consumer.outbox.outbox import Outbox
from email_consumer.outbox.publisher import TEMPORARY, EventPublisher
from email_consumer.outbox.recording import record
from email_consumer.outbox.stream import EventStream
from email_consumer.roles.nats import open_connection
from email_consumer.runtime.supervisor import Service, Supervisor
from email_consumer.store.database import Database
from email_consumer.store.key_values import ensure_value
from email_consumer.webhooks.deliverer import Deliverer
from email_consumer.webhooks.endpoints import Endpoints
from email_consumer.webhooks.fan_out import FanOut
from email_consumer.webhooks.routes import NoWebhookRoutes, WebhookRoutes
from email_consumer.webhooks.sender import WebhookSender, webhook_sender

_PATIENCE_AT_END = 3.0
"""Seconds; what isn't published by then is published after the next start."""


@dataclass(frozen=True, slots=True)
class EventsOutOptions:
    to: Collection[str]
    """`nats`, `webhooks`; none: no events are recorded."""
    endpoint: NatsEndpoint
    stream: str
    """The mail stream, after which the events' is named."""
    replicas: int
    max_bytes: int
    """Of the stream."""
    allow_private: bool
    """Whether webhooks may be sent to private addresses."""
    traced: bool
    """Whether requests to webhooks are spans of the trace of their mail."""
    default_sender: str
    """Of mail that names none."""


async def no_events() -> None:
    """None is on its way."""


@dataclass(frozen=True, slots=True)
class EventsOut:
    """What the rest of the role needs of it."""

    checks: Mapping[str, Check] = field(default_factory=dict)
    routes: Sequence[web.RouteDef] = ()
    settled: Callable[[], Awaitable[None]] = no_events
    """Returns once no event is on its way to JetStream that was read before."""


async def open_events_out(
    options: EventsOutOptions, services: Supervisor, database: Database, metrics: Metrics
) -> EventsOut:
    """Record everything that happens from here on. To be called before anything is written about mail."""
    if not options.to:
        return EventsOut(routes=NoWebhookRoutes().routes())
    outbox = Outbox(database, await ensure_value(database, "ledger", lambda: uuid4().hex), metrics)
    published = await _to_jetstream(options, services, outbox, metrics) if "nats" in options.to else None
    routes = (
        await _to_webhooks(options, services, outbox, metrics)
        if "webhooks" in options.to
        else NoWebhookRoutes().routes()
    )
    await record(database)
    services.start(Service("outbox", outbox.run))
    return EventsOut({"events": published.check}, routes, published.settled) if published else EventsOut(routes=routes)


async def _to_jetstream(
    options: EventsOutOptions, services: Supervisor, outbox: Outbox, metrics: Metrics
) -> EventPublisher:
    client = await open_connection(options.endpoint, services)  # a separate one, so that mail never waits for events
    stream = EventStream(
        client,
        options.stream,
        outbox.origin,
        replicas=options.replicas,
        max_bytes=options.max_bytes,
    )
    events = EventPublisher(outbox, Publisher(client), stream, metrics)
    await events.prepare()

    async def finish() -> None:
        with suppress(*TEMPORARY):
            async with asyncio.timeout(_PATIENCE_AT_END):
                await events.flush()

    services.at_end(finish)
    services.start(Service("events out", events.run))
    return events


async def _to_webhooks(
    options: EventsOutOptions, services: Supervisor, outbox: Outbox, metrics: Metrics
) -> list[web.RouteDef]:
    endpoints = Endpoints(outbox.database, metrics, allow_private=options.allow_private)
    sender = await services.enter(webhook_sender(_sender(traced=options.traced), allow_private=options.allow_private))
    deliverer = Deliverer(endpoints, sender, metrics)
    await endpoints.load()
    fan_out = FanOut(outbox, endpoints, deliverer.due, options.default_sender)
    await fan_out.prepare()
    services.start(Service("webhooks", deliverer.run), Service("webhook events", fan_out.run))
    return WebhookRoutes(endpoints, sender, deliverer.due).routes()


def _sender(*, traced: bool) -> type[WebhookSender]:
    if not traced:
        return WebhookSender
    from email_consumer.webhooks.traced_sender import TracedWebhookSender  # noqa: PLC0415 - only its users have OpenTelemetry

    return TracedWebhookSender
