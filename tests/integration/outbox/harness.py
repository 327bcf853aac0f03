"""A ledger and the feedback loop at work, and the events that they publish on a real JetStream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from nats.aio.client import Client

from email_consumer.core.metrics import Metrics
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.publisher import Publisher
from email_consumer.outbox.outbox import Outbox
from email_consumer.outbox.publisher import EventPublisher
from email_consumer.outbox.recording import record
from email_consumer.outbox.stream import EventStream
from email_consumer.runtime.tasks import end
from tests.integration.feedback.harness import FeedbackHarness, open_harness

STREAM = "messages-events"
ORIGIN = "0123456789abcdef0123"


@dataclass
class Recorder:
    """One process's life."""

    harness: FeedbackHarness
    publisher: EventPublisher
    outbox: Outbox
    metrics: Metrics

    async def publish_all(self) -> None:
        await self.publisher.flush()


@asynccontextmanager
async def recording(
    path: Path, client: Client, origin: str = ORIGIN, *, publishes: bool = False, kept: float = 0.0
) -> AsyncIterator[Recorder]:
    """`publishes`: its service runs; else `publish_all` publishes. `kept`: seconds for which published events stay."""
    async with open_harness(path) as harness:
        metrics = Metrics()
        stream = EventStream(client, "messages", origin, replicas=1, max_bytes=2**30)
        outbox = Outbox(harness.database, origin, metrics, kept)
        publisher = EventPublisher(outbox, Publisher(client, patience=0.5), stream, metrics)
        await publisher.prepare()
        await record(harness.database)
        tasks = [asyncio.create_task(run()) for run in (publisher.run, outbox.run)] if publishes else []
        try:
            yield Recorder(harness, publisher, outbox, metrics)
        finally:
            for task in tasks:
                await end(task)


async def stored(client: Client) -> list[dict[str, Any]]:
    """Everything in the stream, in its order."""
    found: list[dict[str, Any]] = []
    state = (await ask(client, f"STREAM.INFO.{STREAM}"))["state"]
    for sequence in range(state["first_seq"], state["last_seq"] + 1):
        message = await client.jetstream().get_msg(STREAM, sequence)
        event = orjson.loads(message.data or b"")
        assert message.subject == f"{STREAM}.{event['type']}"
        assert (message.headers or {})["Nats-Msg-Id"] == event["id"]
        found.append(event)
    return found
