"""The pull loop on a real nats-server."""

import nats
from nats.aio.client import Client
from nats.js.api import StreamConfig

from tests.integration.sources.pulling import Hands, publish, pulling
from tests.servers.nats import NatsServer
from tests.waiting import until


async def test_never_more_in_hand_than_slots_and_refilled_as_they_become_free(client: Client) -> None:
    hands = Hands(10)
    async with pulling(client, hands):
        await publish(client, 35)
        for taken in (10, 20, 30):
            await hands.wait_until(lambda taken=taken: len(hands.seen) == taken)  # type: ignore[misc]
            await client.flush()
            info = await client.jetstream().consumer_info("messages", "c")
            assert info.num_ack_pending == 10
            await hands.ack_all()
        await hands.wait_until(lambda: len(hands.seen) == 35)
    assert hands.most == 10
    assert hands.seen == list(range(1, 36))


async def test_what_a_delivery_tells(client: Client) -> None:
    hands = Hands(1)
    async with pulling(client, hands):
        await client.jetstream().publish("messages.email", b"body", headers={"X-A": "b"})
        await hands.wait_until(lambda: len(hands.held) == 1)
        [first] = hands.held
        assert (first.payload, first.headers["X-A"], first.source) == (b"body", "b", "nats")
        assert (first.reference, first.sequence, first.received) == ("messages:1", 1, 1)
        stored = await client.jetstream().get_msg("messages", 1)
        assert stored.time is not None
        assert abs(first.stored_at - stored.time.timestamp()) < 0.001
        await first.nak(0)
        hands.held.clear()
        hands.slots.release()
        await hands.wait_until(lambda: len(hands.held) == 1)
        assert hands.held[0].received == 2


async def test_stopping_leaves_nothing_pending_that_was_not_taken_in_hand(client: Client) -> None:
    hands = Hands(50)
    await publish_later(client)
    async with pulling(client, hands) as intake:
        await hands.wait_until(lambda: len(hands.seen) == 50)
        await hands.ack_all()
        await intake.stop()
        await client.flush()
        taken = len(hands.held)
        info = await client.jetstream().consumer_info("messages", "c")
        assert info.num_ack_pending == taken


async def publish_later(client: Client) -> None:
    await client.jetstream().add_stream(StreamConfig(name="messages", subjects=["messages.*"]))
    await publish(client, 500)


async def test_a_deleted_consumer_and_stream_are_made_anew(client: Client) -> None:
    hands = Hands(5)
    jetstream = client.jetstream()
    async with pulling(client, hands):
        await publish(client, 1)
        await hands.wait_until(lambda: len(hands.seen) == 1)
        await hands.ack_all()
        await jetstream.delete_consumer("messages", "c")
        await publish(client, 1)
        await hands.wait_until(lambda: 2 in hands.seen)  # the first too, if its ack came after the consumer's end
        await hands.ack_all()
        hands.seen.clear()
        await jetstream.delete_stream("messages")
        await until(lambda: exists(client))
        await publish(client, 1)
        await hands.wait_until(lambda: hands.seen == [1])


async def exists(client: Client) -> bool:
    try:
        await client.jetstream().consumer_info("messages", "c")
    except nats.js.errors.NotFoundError:
        return False
    return True


async def test_it_comes_back_by_itself_after_the_servers_death(server: NatsServer, client: Client) -> None:
    hands = Hands(5)
    async with pulling(client, hands):
        for life in range(1, 4):
            if life > 1:
                await server.kill()
                await server.restart()
            await publish(client, 5)
            await hands.wait_until(lambda life=life: len(hands.seen) == 5 * life)  # type: ignore[misc]
            await hands.ack_all()
            await client.flush()


async def test_an_existing_stream_of_another_retention_is_used_as_it_is(client: Client) -> None:
    await publish_later(client)
    hands = Hands(20)
    async with pulling(client, hands):
        await hands.wait_until(lambda: len(hands.seen) == 20)
        await hands.ack_all()
        await hands.wait_until(lambda: len(hands.seen) == 40)
        await hands.ack_all()
    assert (await client.jetstream().stream_info("messages")).state.messages == 500
