"""What every source promises."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from email_consumer.core.dead_letters import DeadLetterKind
from email_consumer.core.delivery import Delivery
from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.source import Receiver
from email_consumer.jetstream.client import SteadyClient
from email_consumer.message.model import decode
from email_consumer.pipeline.gate import covers
from email_consumer.runtime.clock import elapsed
from tests.factories import mail, payload
from tests.integration.sources.backends import SourceBackend, jetstream, memory, sqs
from tests.integration.sources.harness import ReceiverHarness
from tests.servers.nats import NatsServer
from tests.waiting import until

ACK_WAIT = 2.0
"""Seconds."""


@pytest.fixture(params=["jetstream", "sqs", "memory"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SourceBackend]:
    async with AsyncExitStack() as stack:
        match request.param:
            case "jetstream":
                server = await stack.enter_async_context(NatsServer(tmp_path / "nats"))
                client = SteadyClient()
                await client.connect(server.url)
                stack.push_async_callback(client.close)
                yield await stack.enter_async_context(jetstream(client, ACK_WAIT))
            case "sqs":
                server = request.getfixturevalue("sqs_server")
                yield await stack.enter_async_context(sqs(server, ACK_WAIT))
            case _:
                yield await stack.enter_async_context(memory(ACK_WAIT))


@asynccontextmanager
async def receiving(backend: SourceBackend, harness: ReceiverHarness) -> AsyncIterator[Receiver]:
    receiver = backend.source.receiver(harness.slots, harness.start)
    running = asyncio.create_task(receiver.run())
    try:
        yield receiver
    finally:
        await receiver.stop()
        await running


async def publish(backend: SourceBackend, *uuids: str) -> list[int]:
    messages = [(payload(uuid), {"Trace-Id": uuid}) for uuid in uuids]
    answers = await backend.source.mail_queue.publish(messages)
    assert all(isinstance(answer, int) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, int)]


def uuids(deliveries: list[Delivery]) -> list[str]:
    return sorted(decode(delivery.payload).uuid for delivery in deliveries)


async def settled(backend: SourceBackend) -> None:
    """Until nothing in the queue is unsettled."""

    async def empty() -> bool:
        return (await backend.source.mail_queue.backlog()).unsettled == 0

    await until(empty)


async def test_a_delivery_carries_what_was_published(backend: SourceBackend) -> None:
    harness = ReceiverHarness(10)
    [sequence] = await publish(backend, "u-1")
    async with receiving(backend, harness):
        await harness.wait_until(lambda: len(harness.held) == 1)
        [delivery] = harness.held
        assert decode(delivery.payload) == mail("u-1")
        assert delivery.headers["Trace-Id"] == "u-1"
        assert (delivery.source, delivery.received) == (backend.source.name, 1)
        assert (delivery.sequence > 0, delivery.sequence) == (backend.source.ordered, sequence)
        assert delivery.reference
        assert abs(delivery.stored_at - time.time()) < 60
        await harness.ack_all()


async def test_what_was_settled_is_not_delivered_again(backend: SourceBackend) -> None:
    harness = ReceiverHarness(10)
    await publish(backend, "acked", "terminated")
    async with receiving(backend, harness):
        await harness.wait_until(lambda: len(harness.held) == 2)
        first, second = harness.held
        await first.ack()
        await second.term()
        await backend.source.flush()
        await settled(backend)
    assert len(harness.held) == 2


async def test_a_nak_brings_it_back_after_the_delay(backend: SourceBackend) -> None:
    harness = ReceiverHarness(10)
    await publish(backend, "u-1")
    async with receiving(backend, harness):
        await harness.wait_until(lambda: len(harness.held) == 1)
        first = harness.held[0]
        returned = time.monotonic()
        await first.nak(1.5)
        await harness.wait_until(lambda: len(harness.held) == 2)
        assert time.monotonic() - returned > 1.4
        second = harness.held[1]
        assert (second.received, second.reference, second.stored_at) == (2, first.reference, first.stored_at)
        assert second.payload == first.payload
        await harness.ack_all()
    await settled(backend)


async def test_one_that_nobody_settles_comes_back(backend: SourceBackend) -> None:
    harness = ReceiverHarness(10)
    await publish(backend, "u-1")
    async with receiving(backend, harness):
        await harness.wait_until(lambda: len(harness.held) == 2)
        assert [delivery.received for delivery in harness.held] == [1, 2]
        await harness.ack_all()
    await settled(backend)


async def test_the_heartbeat_keeps_a_delivery(backend: SourceBackend) -> None:
    harness = ReceiverHarness(10)
    await publish(backend, "slow")
    async with receiving(backend, harness):
        await harness.wait_until(lambda: len(harness.held) == 1)
        [delivery] = harness.held
        enough = time.monotonic() + 2 * ACK_WAIT

        async def beaten() -> bool:
            await delivery.in_progress()
            return time.monotonic() > enough

        await until(beaten)
        assert harness.held == [delivery]
        await harness.ack_all()
        await settled(backend)


async def test_no_more_is_delivered_than_there_are_slots(backend: SourceBackend) -> None:
    harness = ReceiverHarness(3)
    names = [f"u-{number}" for number in range(9)]
    await publish(backend, *names)
    async with receiving(backend, harness):
        for _ in range(3):
            await harness.wait_until(lambda: len(harness.held) == 3)
            await harness.ack_all()
        await settled(backend)
    assert harness.most == 3
    assert uuids(harness.delivered) == names


async def test_after_stop_nothing_more_is_delivered(backend: SourceBackend) -> None:
    harness, other = ReceiverHarness(10), ReceiverHarness(10)
    async with receiving(backend, harness) as receiver:
        await publish(backend, "before")
        await harness.wait_until(lambda: len(harness.held) == 1)
        await receiver.stop()
        await receiver.stop()
        await publish(backend, "after")
        async with receiving(backend, other):
            await other.wait_until(lambda: "after" in uuids(other.held))
            await other.ack_all()
        assert uuids(harness.held) == ["before"]
    await harness.ack_all()
    await settled(backend)


async def test_a_receiver_that_never_ran_can_be_stopped(backend: SourceBackend) -> None:
    harness = ReceiverHarness(1)
    await backend.source.receiver(harness.slots, harness.start).stop()


async def test_a_dead_letter_is_the_message_as_it_came(backend: SourceBackend) -> None:
    harness = ReceiverHarness(10)
    await publish(backend, "u-1")
    async with receiving(backend, harness):
        await harness.wait_until(lambda: len(harness.held) == 1)
        [delivery] = harness.held
        for _ in range(2 if backend.remembers else 1):
            await backend.source.dead_letters.store(delivery, DeadLetterKind.REJECTED, "no such domain", 1)
        await harness.ack_all()
    assert await backend.dead_letters() == [delivery.payload]


async def test_the_queue_says_how_far_it_has_come(backend: SourceBackend) -> None:
    harness, queue = ReceiverHarness(10), backend.source.mail_queue
    assert (await queue.backlog()).unsettled == 0
    assert queue.max_payload > 10_000
    await publish(backend, "u-1", "u-2")
    progress = await backend.source.progress()
    assert (progress.waiting, (await queue.backlog()).unsettled) == (2, 2)
    async with receiving(backend, harness):
        await harness.wait_until(lambda: len(harness.held) == 2)
        assert (await backend.source.progress()).waiting == 0
        await harness.ack_all()
        await settled(backend)
    last = max(delivery.sequence for delivery in harness.delivered)
    backlog = await queue.backlog()
    if backend.source.ordered:
        assert (backlog.ack_floor, backlog.last) == (last, last)
        assert (await backend.source.progress()).settled > progress.settled


async def test_a_mark_covers_what_was_stored_before_it(backend: SourceBackend) -> None:
    harness = ReceiverHarness(10)
    await publish(backend, "before")
    mark = await backend.source.mail_queue.mark()
    await asyncio.sleep(mark.past_in)
    await publish(backend, "after")
    async with receiving(backend, harness):
        await harness.wait_until(lambda: len(harness.held) == 2)
        covered = {decode(each.payload).uuid: covers(mark, harness.origin(each)) for each in harness.held}
        await harness.ack_all()
    assert covered == {"before": True, "after": False}


async def test_a_source_that_works_passes_its_check(backend: SourceBackend) -> None:
    await backend.source.check()
    assert backend.source.valid_until > elapsed()
    assert await backend.source.unconsumed() == Unconsumed()
    await backend.source.stats(0)
