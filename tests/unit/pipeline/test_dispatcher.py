import asyncio

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.metrics import Metrics
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.runtime.supervisor import Service, supervised
from tests.factories import FakeDelivery
from tests.waiting import patience


class Beating(FakeDelivery):
    """Tells after three heartbeats."""

    def __init__(self, source: str) -> None:
        super().__init__(source=source)
        self.alive = asyncio.Event()

    async def in_progress(self) -> None:
        await super().in_progress()
        if len(self.calls) == 3:
            self.alive.set()


class Hanging(FakeDelivery):
    async def in_progress(self) -> None:
        await super().in_progress()
        await asyncio.Event().wait()


async def test_a_source_that_does_not_answer_delays_no_other_heartbeat() -> None:
    async def handle(_delivery: Delivery) -> None:
        await asyncio.Event().wait()

    hanging, beating = Hanging(source="sqs"), Beating("nats")
    dispatcher = Dispatcher(handle, Metrics(), heartbeat=0.01)
    slots = DeliverySlots(2)
    dispatcher.start(hanging, slots)
    dispatcher.start(beating, slots)
    assert slots.free == 0
    async with patience(), supervised(Service("dispatcher", dispatcher.keep_alive)):
        await beating.alive.wait()
    assert hanging.calls == ["in progress"], "not called again before it has answered"
    assert await dispatcher.drain(0) == 2
    assert slots.free == 2
