"""An SQS queue with the intake on it, and what the intake has handed over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.sources.sqs.receiver import sqs_receiver
from email_consumer.sqs.queue import SqsQueue
from email_consumer.sqs.receiver import SqsReceiver
from tests.servers.sqs import REGION, SqsServer, TestQueue
from tests.waiting import patience


class DeliveryHolder:
    """Holds each delivery and its slot until it is let go."""

    def __init__(self, capacity: int) -> None:
        self.slots = DeliverySlots(capacity)
        self.deliveries: list[Delivery] = []
        self._more = asyncio.Condition()

    def start(self, delivery: Delivery) -> None:
        self.slots.take()
        self.deliveries.append(delivery)
        self._notified = asyncio.create_task(self._notify())

    async def holds(self, count: int) -> list[Delivery]:
        """Until so many have come in all."""
        async with patience(), self._more:
            await self._more.wait_for(lambda: len(self.deliveries) >= count)
        return self.deliveries

    async def ack(self, *deliveries: Delivery) -> None:
        """Settle them, then free their slots."""
        await asyncio.gather(*(delivery.ack() for delivery in deliveries))
        for _ in deliveries:
            self.slots.release()

    async def _notify(self) -> None:
        async with self._more:
            self._more.notify_all()


@asynccontextmanager
async def opened(server: SqsServer, queue: TestQueue) -> AsyncIterator[SqsQueue]:
    async with SqsQueue.open(queue.url, region=REGION, endpoint=server.url) as opened:
        yield opened


@asynccontextmanager
async def taking(queue: SqsQueue, hand: DeliveryHolder, visibility: float = 30) -> AsyncIterator[SqsReceiver]:
    """The intake runs until the block ends."""
    intake = sqs_receiver(queue, slots=hand.slots, visibility=visibility, start=hand.start)
    running = asyncio.create_task(intake.run())
    try:
        yield intake
    finally:
        await intake.stop()
        await running
