"""The sidecar's part of the JetStream ledger, as the daemon puts it together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.js.api import ConsumerInfo
from nats.js.errors import ServiceUnavailableError

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.metrics import Metrics
from email_consumer.ledgers.jetstream.projection import Projection
from email_consumer.ledgers.jetstream.streams import CONSUMER, Names
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.sources.jetstream.receiver import JetStreamReceiver
from email_consumer.store.database import open_database


async def project(client: Client, path: Path, stream: str) -> None:
    """Bring all outcomes so far into the tables."""
    async with open_database(path) as database:
        projection = Projection(database)
        async with projection.running():
            await drain(client, Names(stream).outcomes, projection.handle)


async def _consumer_info(client: Client, stream: str) -> ConsumerInfo:
    while True:
        with suppress(nats.errors.TimeoutError, ServiceUnavailableError):  # its leader is being elected
            info: ConsumerInfo = await client.jetstream().consumer_info(stream, CONSUMER)
            return info


async def drain(client: Client, stream: str, handle: Callable[[Delivery], Coroutine[None, None, None]]) -> None:
    """Have `handle` take all that the stream's consumer has not acknowledged yet."""
    info = await _consumer_info(client, stream)
    left = (info.num_pending or 0) + (info.num_ack_pending or 0)
    if not left:
        return
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def counted(delivery: Delivery) -> None:
        nonlocal left
        try:
            await handle(delivery)
        except Exception as error:  # noqa: BLE001 - passed on to the one who waits
            if not done.done():
                done.set_exception(error)
        left -= 1
        if not left and not done.done():
            done.set_result(None)

    async with consuming(client, stream, counted):
        await done


@asynccontextmanager
async def consuming(
    client: Client, stream: str, handle: Callable[[Delivery], Coroutine[None, None, None]]
) -> AsyncIterator[None]:
    """Deliveries are handled until the block ends."""
    slots = DeliverySlots(100)
    dispatcher = Dispatcher(handle, Metrics(), heartbeat=10)
    start = partial(dispatcher.start, slots=slots)
    intake = JetStreamReceiver(client, stream=stream, consumer=CONSUMER, slots=slots, start=start, repair=_nothing)
    running = asyncio.create_task(intake.run())
    try:
        yield
    finally:
        await intake.stop()
        await dispatcher.drain(5)
        await client.flush()
        running.cancel()
        await asyncio.wait([running])


async def _nothing() -> None:
    """No stream is deleted here."""
