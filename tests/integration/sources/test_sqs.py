"""The SQS intake against moto's server."""

import asyncio
import time
from functools import partial

from structlog.testing import capture_logs

from email_consumer.core.delivery import Delivery
from email_consumer.core.metrics import Metrics
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.sources.sqs.receiver import sqs_receiver
from email_consumer.sqs.queue import SqsQueue
from tests.integration.sources.sqs_source import DeliveryHolder, opened, taking
from tests.servers.sqs import SqsServer, TestQueue
from tests.waiting import until


async def asked(queue: TestQueue, call: str, times: int) -> bool:
    return (await queue.calls())[call] >= times


async def test_a_delivery_carries_what_the_queue_knows(mail: TestQueue, queue: SqsQueue) -> None:
    hand = DeliveryHolder(10)
    await mail.send(["Grüße"], Trace_Id="t-1")
    async with taking(queue, hand):
        [delivery] = await hand.holds(1)
    assert delivery.payload == "Grüße".encode()
    assert delivery.headers == {"Trace-Id": "t-1"}
    assert (delivery.source, delivery.sequence, delivery.received) == ("sqs", 0, 1)
    assert delivery.reference.startswith("mail-")
    assert abs(delivery.stored_at - time.time()) < 30


async def test_no_more_is_taken_than_there_are_free_slots(mail: TestQueue, queue: SqsQueue) -> None:
    hand = DeliveryHolder(7)
    await mail.send([str(number) for number in range(30)])
    async with taking(queue, hand):
        await hand.holds(7)
        assert (await mail.attributes())["ApproximateNumberOfMessagesNotVisible"] == "7"
        await hand.ack(*hand.deliveries[:3])
        await hand.holds(10)
        assert (await mail.attributes())["ApproximateNumberOfMessagesNotVisible"] == "7"
    assert len(hand.deliveries) == 10


async def test_a_full_queue_is_taken_by_several_receives_and_deleted_in_batches(
    mail: TestQueue, queue: SqsQueue
) -> None:
    hand = DeliveryHolder(500)
    bodies = [str(number) for number in range(300)]
    await mail.send(bodies)
    async with taking(queue, hand):
        deliveries = await hand.holds(300)
        await hand.ack(*deliveries)
    assert sorted(delivery.payload.decode() for delivery in deliveries) == sorted(bodies)
    assert await mail.unsettled() == 0
    calls = await mail.calls()
    assert calls["delete_message_batch"] == 30
    assert calls["receive_message"] <= 60


async def test_an_empty_queue_is_asked_by_one_long_poll(mail: TestQueue, queue: SqsQueue) -> None:
    hand = DeliveryHolder(500)
    async with taking(queue, hand):
        await mail.send(["one"])
        await hand.ack(*await hand.holds(1))
        await mail.emptied()
    assert (await mail.calls())["receive_message"] <= 2


async def test_nak_brings_it_back_after_the_delay(mail: TestQueue, queue: SqsQueue) -> None:
    hand = DeliveryHolder(10)
    await mail.send(["again"])
    async with taking(queue, hand):
        [first] = await hand.holds(1)
        returned = time.monotonic()
        await first.nak(1.5)
        hand.slots.release()
        await hand.holds(2)
    second = hand.deliveries[1]
    assert time.monotonic() - returned > 1.4
    assert (second.received, second.reference) == (2, first.reference)


async def test_the_heartbeat_keeps_it_out_of_sight_but_never_undoes_a_nak(mail: TestQueue, queue: SqsQueue) -> None:
    hand, seen, sent = DeliveryHolder(10), list[Delivery](), asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        seen.append(delivery)
        if delivery.received == 1:
            await sent.wait()
            await delivery.nak(0)
            await delivery.in_progress()  # a heartbeat that comes late
        else:
            await delivery.ack()

    dispatcher = Dispatcher(handle, Metrics(), heartbeat=0.3)
    start = partial(dispatcher.start, slots=hand.slots)
    intake = sqs_receiver(queue, slots=hand.slots, visibility=1, start=start)
    await mail.send(["slow"])
    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(dispatcher.keep_alive())
        tasks.create_task(intake.run())
        await until(lambda: asked(mail, "change_message_visibility_batch", 8))
        assert [delivery.received for delivery in seen] == [1]
        sent.set()
        await mail.emptied()
        await intake.stop()
        beating.cancel()
    assert [delivery.received for delivery in seen] == [1, 2]


async def test_stopping_ends_a_long_poll_at_once(mail: TestQueue, queue: SqsQueue) -> None:
    hand = DeliveryHolder(10)
    async with taking(queue, hand, visibility=1) as intake:
        await until(lambda: asked(mail, "receive_message", 1))
        await intake.stop()
        assert (await mail.calls())["receive_message answered"] == 0, "it waits on, for twenty seconds"
        await intake.stop()
    await mail.send(["late"])
    # SQS may still hand it to the poll that was given up: then it comes back.
    assert [message["Body"] for message in await mail.receive(wait=10)] == ["late"]
    assert hand.deliveries == []


async def test_an_intake_that_never_ran_can_be_stopped(queue: SqsQueue) -> None:
    await sqs_receiver(queue, slots=DeliveryHolder(1).slots, visibility=1, start=DeliveryHolder(1).start).stop()


async def test_an_outage_is_logged_once_and_survived() -> None:
    hand = DeliveryHolder(10)
    with SqsServer() as server, capture_logs() as log:
        mail = await server.create_queue("mail")
        async with opened(server, mail) as queue, taking(queue, hand):
            server.kill()
            await until(lambda: log)
            server.start()
            again = await server.create_queue("mail", name=mail.name)  # moto has forgotten it
            await again.send(["after"])
            await hand.holds(1)
    assert [line["event"] for line in log] == ["sqs.interrupted", "sqs.resumed"]
