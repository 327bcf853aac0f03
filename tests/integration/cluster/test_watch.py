"""A watch tells everything in order, and ends when it can't be sure of that any more."""

import asyncio
from contextlib import aclosing

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.errors import NotFoundError

from email_consumer.jetstream.key_value import DELETION, bucket_age, ensure_bucket, subject
from email_consumer.jetstream.watch import Entry, WatchBrokenError, follow
from tests.integration.cluster.shared_state_harness import connected
from tests.servers.nats import NatsServer

BUCKET = "messages-facts"


async def test_first_what_is_stored_then_what_changes(server: NatsServer) -> None:
    async with connected(server) as client:
        assert await ensure_bucket(client, BUCKET, replicas=1)
        store = await client.jetstream().key_value(BUCKET)
        await store.put("a", b"1")
        await store.put("b", b"1")
        await store.put("a", b"2")
        async with aclosing(follow(client, BUCKET, 0.2)) as entries:
            assert [await anext(entries) for _ in range(3)] == [Entry("b", b"1", 1), Entry("a", b"2", 0), None]
            await store.put("c.d", b"3")
            assert await anext(entries) == Entry("c.d", b"3", 0)
            await client.publish(subject(BUCKET, "a"), headers=DELETION)
            assert await anext(entries) == Entry("a", None, 0)


async def test_an_empty_bucket_is_read_at_once(server: NatsServer) -> None:
    async with connected(server) as client:
        await ensure_bucket(client, BUCKET, replicas=1)
        assert not await ensure_bucket(client, BUCKET, replicas=1)
        async with aclosing(follow(client, BUCKET, 0.2)) as entries:
            assert await anext(entries) is None


async def test_it_lasts_while_nothing_happens(server: NatsServer) -> None:
    async with connected(server) as client:
        await ensure_bucket(client, BUCKET, replicas=1)
        async with aclosing(follow(client, BUCKET, 0.1)) as entries:
            assert await anext(entries) is None
            following = asyncio.create_task(anext(entries))
            done, _ = await asyncio.wait([following], timeout=0.6)  # twice what silence would end it after
            assert not done
            await (await client.jetstream().key_value(BUCKET)).put("a", b"1")
            assert await following == Entry("a", b"1", 0)


async def test_a_silent_server_ends_it(server: NatsServer) -> None:
    async with connected(server) as client:
        await ensure_bucket(client, BUCKET, replicas=1)
        async with aclosing(follow(client, BUCKET, 0.1)) as entries:
            assert await anext(entries) is None
            await client.jetstream().delete_key_value(BUCKET)
            with pytest.raises(WatchBrokenError):
                await anext(entries)


async def test_a_lost_message_shows_by_the_next_one(server: NatsServer) -> None:
    async with connected(server) as client:
        await ensure_bucket(client, BUCKET, replicas=1)
        store = await client.jetstream().key_value(BUCKET)
        async with aclosing(follow(client, BUCKET, 5)) as entries:
            assert await anext(entries) is None
            deliveries = _deliveries(client)
            arrived, lost = deliveries._cb, asyncio.Event()

            async def lose(_: Msg) -> None:
                lost.set()

            deliveries._cb = lose
            await store.put("a", b"1")
            await lost.wait()
            deliveries._cb = arrived
            await store.put("b", b"2")
            with pytest.raises(WatchBrokenError, match="a message got lost"):
                await anext(entries)


async def test_a_lost_message_shows_by_the_heartbeat(server: NatsServer) -> None:
    async with connected(server) as client:
        await ensure_bucket(client, BUCKET, replicas=1)
        async with aclosing(follow(client, BUCKET, 5)) as entries:
            assert await anext(entries) is None
            heartbeat = {"Status": "100", "Nats-Last-Consumer": "1"}  # as the server beats after its first message
            await client.publish(_deliveries(client).subject, headers=heartbeat)
            with pytest.raises(WatchBrokenError, match="a message got lost"):
                await anext(entries)


def _deliveries(client: Client) -> Subscription:
    """The watch's subscription; the client's own one for requests ends in a star."""
    return next(each for each in client._subs.values() if not each.subject.endswith("*"))


async def test_the_age_of_a_bucket_comes_from_the_server(server: NatsServer) -> None:
    async with connected(server) as client:
        with pytest.raises(NotFoundError):
            await bucket_age(client, BUCKET)
        began = asyncio.get_running_loop().time()
        await ensure_bucket(client, BUCKET, replicas=1)
        first = await bucket_age(client, BUCKET)
        assert 0 <= first < await bucket_age(client, BUCKET) <= asyncio.get_running_loop().time() - began


async def test_without_a_bucket_there_is_nothing_to_follow(server: NatsServer) -> None:
    async with connected(server) as client, aclosing(follow(client, BUCKET, 0.2)) as entries:
        with pytest.raises(NotFoundError):
            await anext(entries)
