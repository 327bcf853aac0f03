"""Events out, where EVENTS_OUT asks for them: recorded with each outcome, published by a service."""

import asyncio
from collections.abc import Mapping
from functools import partial
from uuid import uuid4

from email_consumer.core.readiness import Check
from email_consumer.jetstream.connection import close, connect
from email_consumer.jetstream.publisher import Publisher
from email_consumer.outbox.publisher import TEMPORARY, EventPublisher
from email_consumer.outbox.recording import record
from email_consumer.outbox.stream import EventStream
from email_consumer.runtime.supervisor import Service, Supervisor
from email_consumer.settings import Settings
from email_consumer.settings.nats_endpoint import nats_endpoint
from email_consumer.store.database import Database
from email_consumer.store.key_values import ensure_value

_PATIENCE_AT_END = 3.0
"""Seconds; what isn't published by then is published after the next start."""


async def open_events_out(settings: Settings, services: Supervisor, database: Database) -> Mapping[str, Check]:
    """Record everything that happens from here on. To be called before anything is written about mail.

    Returns its checks for `/ready`.
    """
    if not settings.events_out:
        return {}
    client = await connect(nats_endpoint(settings))  # a separate connection, so that mail never waits for events
    services.at_end(partial(close, client))
    origin = await ensure_value(database, "ledger", lambda: uuid4().hex)
    stream = EventStream(
        client, settings.stream, origin, replicas=settings.nats_replicas, max_bytes=settings.events_max_bytes
    )
    events = EventPublisher(database, Publisher(client), stream, origin)
    await events.prepare()
    await record(database)

    async def finish() -> None:
        try:
            async with asyncio.timeout(_PATIENCE_AT_END):
                await events.flush()
        except TEMPORARY:
            return

    services.at_end(finish)
    services.start(Service("events out", events.run))
    return {"events": events.check}
