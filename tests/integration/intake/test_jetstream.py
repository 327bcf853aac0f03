"""The pull loop on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from email_consumer.delivery import Delivery
from email_consumer.intake.jetstream import JetStreamIntake
from email_consumer.intake.topology import Topology
from email_consumer.slots import Slots
from tests.servers.nats import NatsServer


class Hands:
    """Takes deliveries and holds them until the test settles them."""

    def __init__(self, capacity: int) -> None:
        self.slots = Slots(capacity)
        self.held: list[Delivery] = []
        self.most = 0
        self.seen: list[int] = []
        self._changed = asyncio.Condition()

    def start(self, delivery: Delivery) -> None:
        self.slots.take()
        self.held.append(delivery)
        self.seen.append(delivery.sequence)
        self.most = max(self.most, len(self.held))
        asyncio.get_running_loop().create_task(self._tell())

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(condition)

    async def ack_all(self) -> None:
        held, self.held = self.held, []
        for delivery in held:
            await delivery.ack()
            self.slots.release()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path) as server:
        yield server


async def silent(_: Exception) -> None:
    """nats-py would print each failed reconnect."""


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=silent)
    yield client
    await client.close()


@asynccontextmanager
async def pulling(client: Client, hands: Hands) -> AsyncIterator[JetStreamIntake]:
    topology = Topology(
        client, stream="messages", subject="messages.email", consumer="c", ack_wait=30, concurrency=500, replicas=1
    )
    await topology.ensure()
    intake = JetStreamIntake(
        client, stream="messages", consumer="c", slots=hands.slots, start=hands.start, repair=topology.ensure
    )
    running = asyncio.create_task(intake.run())
    yield intake
    await intake.stop()
    await running


async def publish(client: Client, count: int) -> None:
    jetstream = client.jetstream()
    waiting = [await jetstream.publish_async("messages.email", b"%d" % number) for number in range(count)]
    await asyncio.gather(*waiting)


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
        async with asyncio.timeout(30):
            while not await exists(client):  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.05)
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
