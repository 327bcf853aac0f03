"""The client: what it sends and hears, and how it ends."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import (
    BadHeaderError,
    BadSubjectError,
    ConnectionClosedError,
    MaxPayloadError,
    NoRespondersError,
)

from tests.simulation.conformance.connection_log import ConnectionLog
from tests.simulation.conformance.pulls import Delivered, Puller, S, fill, until_waiting, work_queue
from tests.simulation.conformance.site import Run, Site


async def _written(client: Client) -> None:
    """Return once the server has read everything: nats-py's first ping may overtake what waits to be written."""
    await client.flush()
    await client.flush()


def test_subscribers_hear_what_clients_publish(run: Run) -> None:
    async def body(site: Site) -> None:
        one, other = await site.connect(), await site.connect()
        heard: asyncio.Queue[Msg] = asyncio.Queue()
        await one.subscribe("a.*.c", cb=heard.put)
        await one.subscribe("a.>", cb=heard.put)
        await _written(one)
        await other.publish("a.b.c", b"1", reply="r", headers={"One": "1"})
        await other.publish("a.b", b"2")
        found = [await heard.get() for _ in range(3)]
        found.sort(key=lambda message: message.subject)
        assert [(each.subject, each.data, each.reply) for each in found] == [
            ("a.b", b"2", ""),
            ("a.b.c", b"1", "r"),
            ("a.b.c", b"1", "r"),
        ]
        assert [each.headers for each in found] == [None, {"One": "1"}, {"One": "1"}]
        with pytest.raises(NoRespondersError):
            await other.request("nobody", b"", timeout=1)
        subscription = await other.subscribe("once")
        await subscription.unsubscribe(limit=1)
        await _written(other)
        await one.publish("once", b"1")
        assert (await subscription.next_msg(timeout=5)).data == b"1"
        await _written(one)
        with pytest.raises(NoRespondersError):
            await one.request("once", b"", timeout=1)

    run(body)


def test_callbacks_of_a_subscription_run_one_after_the_other(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        running, most, done = 0, 0, asyncio.Event()
        order: list[bytes] = []

        async def slow(message: Msg) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1
            order.append(message.data)
            if len(order) == 5:
                done.set()

        await client.subscribe("a", cb=slow)
        for number in range(5):
            await client.publish("a", b"%d" % number)
        async with asyncio.timeout(30):
            await done.wait()
        assert (most, order) == (1, [b"0", b"1", b"2", b"3", b"4"])

    run(body)


def test_what_can_not_be_sent_is_refused_at_once(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        assert client.max_payload == 1024 * 1024
        with pytest.raises(MaxPayloadError):
            await client.publish("a", b"1" * (client.max_payload + 1))
        with pytest.raises(BadSubjectError):
            await client.publish("a b", b"1")
        with pytest.raises(BadHeaderError):
            await client.publish("a", b"1", headers={"a b": "1"})
        assert client.is_connected
        assert client.connected_server_version.major == 2

    run(body)


def test_a_closed_client_does_nothing_more(run: Run) -> None:
    async def body(site: Site) -> None:
        log = ConnectionLog()
        client = await log.connect(site)
        subscription = await client.subscribe("a")
        await client.publish("a", b"1")
        await client.close()
        assert log.seen == ["disconnected", "closed"]
        assert (client.is_closed, client.is_connected) == (True, False)
        with pytest.raises(ConnectionClosedError):
            await client.publish("a", b"1")
        with pytest.raises(ConnectionClosedError):
            await subscription.next_msg()
        with pytest.raises(ConnectionClosedError):
            await client.flush()

    run(body)


def test_a_drained_subscription_handles_what_has_come(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, *["s.a"] * 5)
        heard: list[bytes] = []

        async def slow(message: Msg) -> None:
            await asyncio.sleep(0.01)
            heard.append(message.data)

        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox, cb=slow)
        await client.publish("$JS.API.CONSUMER.MSG.NEXT.s.c", b'{"batch":10,"expires":30000000000}', reply=inbox)
        await until_waiting(client, 1)
        await subscription.drain()  # type: ignore[no-untyped-call]
        assert heard == [b"1"] * 5
        await until_waiting(client, 0)
        await fill(client, "s.b")
        await puller.ask(batch=1)
        assert await puller.next() == Delivered("s.b", 1, 6, 6, 0)

    run(body)


def test_a_drained_client_is_closed_after_it(run: Run) -> None:
    async def body(site: Site) -> None:
        log = ConnectionLog()
        client, other = await log.connect(site), await site.connect()
        heard: list[bytes] = []

        async def note(message: Msg) -> None:
            heard.append(message.data)

        await client.subscribe("a", cb=note)
        await _written(client)
        await other.publish("a", b"1")
        await _written(other)
        await client.drain()
        assert (heard, client.is_closed, log.seen) == ([b"1"], True, ["disconnected", "closed"])

    run(body)


def test_a_pull_of_another_connection_is_not_lost_with_ours(run: Run) -> None:
    async def body(site: Site) -> None:
        client, other = await site.connect(), await site.connect()
        mine = await work_queue(client, ack_wait=30)
        theirs = Puller(other, "s", "c")
        await theirs.listen()
        await theirs.ask(batch=5, expires=30 * S)
        await until_waiting(client, 1)
        await mine.ask(batch=5, expires=30 * S)
        await until_waiting(client, 2)
        await other.close()
        await until_waiting(client, 1)
        await fill(client, "s.a")
        assert await mine.next() == Delivered("s.a", 1, 1, 1, 0)
        await fill(client, "s.b")
        assert await mine.next() == Delivered("s.b", 1, 2, 2, 0)

    run(body)
