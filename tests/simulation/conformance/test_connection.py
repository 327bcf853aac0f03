"""The client, while the server comes and goes: what is kept, what is lost, who is told."""

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
    OutboundBufferLimitError,
)
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from tests.simulation.conformance.pulls import Delivered, Puller, S, fill, info, settle, until_waiting, work_queue
from tests.simulation.conformance.site import Run, Site
from tests.simulation.conformance.test_publishing import publish


class _Log:
    """What the client reports, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.changed = asyncio.Event()

    async def connect(self, site: Site, **options: object) -> Client:
        return await site.connect(
            disconnected_cb=self.disconnected,
            reconnected_cb=self.reconnected,
            closed_cb=self.closed,
            error_cb=self.error,
            **options,
        )

    async def disconnected(self) -> None:
        self._note("disconnected")

    async def reconnected(self) -> None:
        self._note("reconnected")

    async def closed(self) -> None:
        self._note("closed")

    async def error(self, error: Exception) -> None:
        """Refused connections come in any number."""

    async def until(self, what: str) -> None:
        async with asyncio.timeout(60):
            while what not in self.seen:
                self.changed.clear()
                await self.changed.wait()

    def _note(self, what: str) -> None:
        self.seen.append(what)
        self.changed.set()


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


def test_a_client_comes_back_with_its_subscriptions(run: Run) -> None:
    async def body(site: Site) -> None:
        log = _Log()
        client = await log.connect(site)
        heard: asyncio.Queue[Msg] = asyncio.Queue()
        await client.subscribe("a", cb=heard.put)
        await client.flush()
        await site.stop()
        await log.until("disconnected")
        assert (client.is_connected, client.is_reconnecting, client.is_closed) == (False, True, False)
        assert client.connected_url is None
        await client.publish("a", b"kept")
        with pytest.raises(NatsTimeoutError):
            await client.request("a", b"kept, too", timeout=0.1)
        await site.start()
        await log.until("reconnected")
        assert (client.is_connected, client.stats["reconnects"]) == (True, 1)
        assert client.connected_url is not None
        assert [(await heard.get()).data for _ in range(2)] == [b"kept", b"kept, too"]
        assert log.seen == ["disconnected", "reconnected"]

    run(body)


def test_what_waits_for_the_server_is_bounded(run: Run) -> None:
    async def body(site: Site) -> None:
        log = _Log()
        client = await log.connect(site, pending_size=1000)
        await site.stop()
        await log.until("disconnected")
        await client.publish("a", b"1" * 800)
        with pytest.raises(OutboundBufferLimitError):
            await client.publish("a", b"1" * 800)
        await site.start()
        await log.until("reconnected")
        await client.publish("a", b"1" * 800)

    run(body)


def test_streams_and_consumers_outlive_the_server(run: Run) -> None:
    async def body(site: Site) -> None:
        log = _Log()
        client = await log.connect(site)
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a", "s.b", "s.c")
        await puller.ask(batch=2)
        acknowledged, unsettled = await puller.raw(), await puller.raw()
        await settle(client, acknowledged.reply)
        await puller.ask(batch=1, expires=30 * S)
        await site.stop()
        await log.until("disconnected")
        await site.start()
        await log.until("reconnected")
        found = await info(client)
        assert found["num_waiting"] == 0
        assert (found["num_ack_pending"], found["ack_floor"]) in ((1, (1, 1)), (2, (1, 1)))
        await settle(client, unsettled.reply)
        assert (await client.jetstream().stream_info("s")).state.messages == 1

    run(body)


def test_a_restarted_server_knows_the_ids_of_what_it_holds(run: Run) -> None:
    async def body(site: Site) -> None:
        log = _Log()
        client = await log.connect(site)
        puller = await work_queue(client, ack_wait=30)
        for identity in ("settled", "held"):
            await publish(client, "s.a", Nats_Msg_Id=identity)
        await puller.ask(batch=1)
        await settle(client, (await puller.raw()).reply)
        again = {"stream": "s", "seq": 1, "duplicate": True}
        assert await publish(client, "s.a", Nats_Msg_Id="settled") == again
        await site.stop()
        await log.until("disconnected")
        await site.start()
        await log.until("reconnected")
        assert await publish(client, "s.a", Nats_Msg_Id="held") == {"stream": "s", "seq": 2, "duplicate": True}
        assert await publish(client, "s.a", Nats_Msg_Id="settled") == {"stream": "s", "seq": 3}

    run(body)


def test_consumers_in_memory_end_with_the_server(run: Run) -> None:
    async def body(site: Site) -> None:
        log = _Log()
        client = await log.connect(site)
        jetstream = client.jetstream()
        await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"]))
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True, num_replicas=1, inactive_threshold=60)
        await jetstream.add_consumer("s", config)
        await site.stop()
        await log.until("disconnected")
        await site.start()
        await log.until("reconnected")
        assert (await jetstream.stream_info("s")).state.consumer_count == 0

    run(body)


def test_a_closed_client_does_nothing_more(run: Run) -> None:
    async def body(site: Site) -> None:
        log = _Log()
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
        log = _Log()
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
        await fill(client, "s.a", "s.b")
        assert await mine.take(2) == [Delivered("s.a", 1, 1, 1, 0), Delivered("s.b", 1, 2, 2, 0)]

    run(body)
