import asyncio

from structlog.testing import capture_logs

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.metrics import Metrics
from email_consumer.message.lane import Lane
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.runtime.supervisor import Service, supervised
from tests.factories import FakeDelivery
from tests.unit.pipeline.manual_clock import ManualClock
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
    assert asyncio.all_tasks() == {asyncio.current_task()}, "heartbeats under way ended, too"


async def test_the_only_source_gets_heartbeats() -> None:
    async def handle(_delivery: Delivery) -> None:
        await asyncio.Event().wait()

    beating = Beating("nats")
    dispatcher = Dispatcher(handle, Metrics(), heartbeat=0.01)
    dispatcher.start(beating, DeliverySlots(1))
    async with patience(), supervised(Service("dispatcher", dispatcher.keep_alive)):
        await beating.alive.wait()
    await dispatcher.drain(0)


async def test_what_is_unsettled_is_counted_for_each_lane() -> None:
    settle = asyncio.Event()

    async def handle(_delivery: Delivery) -> None:
        await settle.wait()

    metrics, slots = Metrics(), DeliverySlots(3)
    dispatcher = Dispatcher(handle, metrics, heartbeat=60.0)
    for lane in (Lane.BULK, Lane.TRANSACTIONAL, Lane.BULK):
        delivery = FakeDelivery()
        delivery.lane = lane
        dispatcher.start(delivery, slots)
    assert (metrics.unsettled, metrics.unsettled_transactional) == (3, 1)
    settle.set()
    assert await dispatcher.drain(60.0) == 0
    await asyncio.sleep(0)
    assert (metrics.unsettled, metrics.unsettled_transactional) == (0, 0)


def test_the_age_of_the_oldest_unsettled_delivery() -> None:
    async def handle(_delivery: Delivery) -> None:
        await asyncio.sleep(100)

    async def measure() -> None:
        dispatcher, slots = Dispatcher(handle, Metrics(), heartbeat=60.0), DeliverySlots(2)
        assert dispatcher.oldest() is None
        for _ in range(2):
            dispatcher.start(FakeDelivery(), slots)
            await asyncio.sleep(7)
        assert dispatcher.oldest() == 14

    with asyncio.Runner(loop_factory=lambda: ManualClock(lambda _: 0.0)) as runner:
        runner.run(measure())


async def test_a_crash_is_logged_and_an_abandoned_delivery_is_none() -> None:
    async def handle(delivery: Delivery) -> None:
        if delivery.source == "sqs":
            raise RuntimeError("a bug")
        await asyncio.Event().wait()

    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    dispatcher, slots = Dispatcher(handle, Metrics(), heartbeat=60.0), DeliverySlots(2)
    with capture_logs() as logs:
        dispatcher.start(FakeDelivery(source="sqs"), slots)
        dispatcher.start(FakeDelivery(source="nats"), slots)
        assert await dispatcher.drain(0.01) == 1
        await asyncio.sleep(0)
    assert [line["event"] for line in logs] == ["delivery.crashed"]
    assert (slots.free, unhandled) == (2, [])
