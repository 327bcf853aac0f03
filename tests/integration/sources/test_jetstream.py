"""The pull loop on a real nats-server."""

import nats
import orjson
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import StreamConfig

from email_consumer.sources.jetstream import receiver
from tests.integration.sources.harness import ReceiverHarness, publish, pulling
from tests.servers.nats import NatsServer
from tests.waiting import PATIENCE, until


async def test_never_more_unsettled_than_slots_and_refilled_as_they_become_free(client: Client) -> None:
    harness = ReceiverHarness(10)
    async with pulling(client, harness):
        await publish(client, 35)
        for taken in (10, 20, 30):
            await harness.wait_until(lambda taken=taken: len(harness.seen) == taken)  # type: ignore[misc]
            await client.flush()
            info = await client.jetstream().consumer_info("messages", "c")
            assert info.num_ack_pending == 10
            await harness.ack_all()
        await harness.wait_until(lambda: len(harness.seen) == 35)
    assert harness.most == 10
    assert harness.seen == list(range(1, 36))


async def test_a_busy_worker_does_not_ask_for_each_mail(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "_PAUSE", PATIENCE)
    harness = ReceiverHarness(10)
    asked: list[int] = []

    async def see(request: Msg) -> None:
        asked.append(orjson.loads(request.data)["batch"])

    async with pulling(client, harness):
        await publish(client, 20)
        await harness.wait_until(lambda: len(harness.held) == 10)
        await client.subscribe("$JS.API.CONSUMER.MSG.NEXT.messages.c", cb=see)
        await client.flush()
        for delivery in harness.held[:5]:
            await delivery.ack()
            harness.slots.release(len(delivery.payload))
            await client.flush()
        await harness.wait_until(lambda: len(harness.delivered) == 15)
        await until(lambda: asked)
    assert asked == [5]


async def test_what_a_delivery_says(client: Client) -> None:
    harness = ReceiverHarness(1)
    async with pulling(client, harness):
        await client.jetstream().publish("messages.email", b"body", headers={"X-A": "b"})
        await harness.wait_until(lambda: len(harness.held) == 1)
        [first] = harness.held
        assert (first.payload, first.headers["X-A"], first.source) == (b"body", "b", "nats")
        assert (first.reference, first.sequence, first.received) == ("messages:1", 1, 1)
        stored = await client.jetstream().get_msg("messages", 1)
        assert stored.time is not None
        assert abs(first.stored_at - stored.time.timestamp()) < 0.001
        await first.nak(0)
        harness.held.clear()
        harness.slots.release()
        await harness.wait_until(lambda: len(harness.held) == 1)
        assert harness.held[0].received == 2


async def test_stopping_leaves_nothing_pending_that_was_not_dispatched(client: Client) -> None:
    harness = ReceiverHarness(50)
    await publish_later(client)
    async with pulling(client, harness) as intake:
        await harness.wait_until(lambda: len(harness.seen) == 50)
        await harness.ack_all()
        await intake.stop()
        await client.flush()
        taken = len(harness.held)
        info = await client.jetstream().consumer_info("messages", "c")
        assert info.num_ack_pending == taken


async def publish_later(client: Client) -> None:
    await client.jetstream().add_stream(StreamConfig(name="messages", subjects=["messages.*"]))
    await publish(client, 500)


async def test_a_deleted_consumer_and_stream_are_recreated(client: Client) -> None:
    harness = ReceiverHarness(5)
    jetstream = client.jetstream()
    async with pulling(client, harness):
        await publish(client, 1)
        await harness.wait_until(lambda: len(harness.seen) == 1)
        await harness.ack_all()
        await jetstream.delete_consumer("messages", "c")
        await publish(client, 1)
        await harness.wait_until(lambda: 2 in harness.seen)  # the first too, if its ack came after the consumer's end
        await harness.ack_all()
        harness.seen.clear()
        await jetstream.delete_stream("messages")
        await until(lambda: exists(client))
        await publish(client, 1)
        await harness.wait_until(lambda: harness.seen == [1])


async def exists(client: Client) -> bool:
    try:
        await client.jetstream().consumer_info("messages", "c")
    except nats.js.errors.NotFoundError:
        return False
    return True


async def test_it_comes_back_by_itself_after_the_servers_death(server: NatsServer, client: Client) -> None:
    harness = ReceiverHarness(5)
    async with pulling(client, harness):
        for life in range(1, 4):
            if life > 1:
                await server.kill()
                await server.restart()
            await publish(client, 5)
            await harness.wait_until(lambda life=life: len(harness.seen) == 5 * life)  # type: ignore[misc]
            await harness.ack_all()
            await client.flush()


async def test_an_existing_stream_of_another_retention_is_used_as_it_is(client: Client) -> None:
    await publish_later(client)
    harness = ReceiverHarness(20)
    async with pulling(client, harness):
        await harness.wait_until(lambda: len(harness.seen) == 20)
        await harness.ack_all()
        await harness.wait_until(lambda: len(harness.seen) == 40)
        await harness.ack_all()
    assert (await client.jetstream().stream_info("messages")).state.messages == 500
