"""A receiver on a real server, and a harness that holds what it delivers until the test settles it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nats.aio.client import Client

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.ledger import Origin
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.receiver import JetStreamReceiver
from email_consumer.sources.jetstream.topology import Topology
from tests.waiting import patience


class ReceiverHarness:
    """Takes deliveries and holds them until the test settles them."""

    def __init__(self, capacity: int) -> None:
        self.slots = DeliverySlots(capacity)
        self.held: list[Delivery] = []
        self.delivered: list[Delivery] = []
        self.most = 0
        self.seen: list[int] = []
        self._changed = asyncio.Condition()

    def start(self, delivery: Delivery) -> None:
        self.slots.take(len(delivery.payload))
        self.held.append(delivery)
        self.delivered.append(delivery)
        self.seen.append(delivery.sequence)
        self.most = max(self.most, len(self.held))
        asyncio.get_running_loop().create_task(self._notify())

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with patience(), self._changed:
            await self._changed.wait_for(condition)

    async def ack_all(self) -> None:
        held, self.held = self.held, []
        for delivery in held:
            await delivery.ack()
            self.slots.release(len(delivery.payload))

    @staticmethod
    def origin(delivery: Delivery) -> Origin:
        """As the pipeline passes it to the parts that decide."""
        return Origin(
            delivery.source, delivery.reference, delivery.sequence, delivery.stored_at, stream=delivery.stream
        )

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def pulling(client: Client, harness: ReceiverHarness) -> AsyncIterator[JetStreamReceiver]:
    topology = Topology(
        client,
        MailStream(stream="messages", subject="messages.email", consumer="c", ack_wait=30, concurrency=500, replicas=1),
    )
    await topology.ensure()
    intake = JetStreamReceiver(
        client, stream="messages", consumer="c", slots=harness.slots, start=harness.start, repair=topology.ensure
    )
    running = asyncio.create_task(intake.run())
    yield intake
    await intake.stop()
    await running


async def publish(client: Client, count: int) -> None:
    jetstream = client.jetstream()
    waiting = [await jetstream.publish_async("messages.email", b"%d" % number) for number in range(count)]
    await asyncio.gather(*waiting)
