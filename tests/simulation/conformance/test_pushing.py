"""Consumers that push: what a watch of a bucket lives on."""

import asyncio
from typing import Any

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import StorageType, StreamConfig

from tests.simulation.conformance.pulls import S, fill
from tests.simulation.conformance.site import Run, Site


class Watch:
    """An ordered consumer's messages."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._messages: asyncio.Queue[Msg] = asyncio.Queue()
        self.subscription: Subscription
        self.name = ""

    async def begin(self, **config: Any) -> dict[str, Any]:
        """Create the consumer; returns the server's description."""
        self.subscription = await self._client.subscribe(self._inbox, cb=self._messages.put)
        wanted = {
            "deliver_subject": self._inbox,
            "deliver_policy": "last_per_subject",
            "filter_subject": "s.*",
            "ack_policy": "none",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            **config,
        }
        question = {"stream_name": "s", "config": wanted}
        answer = await self._client.request("$JS.API.CONSUMER.CREATE.s", orjson.dumps(question), timeout=5)
        made: dict[str, Any] = orjson.loads(answer.data)
        self.name = made["name"]
        return made

    async def raw(self) -> Msg:
        async with asyncio.timeout(30):
            return await self._messages.get()

    async def next(self) -> tuple[str, int, int, int]:
        """Subject, sequence, number of the delivery, and what is pending, of the next message that was stored."""
        while not (message := await self.raw()).reply.startswith("$JS.ACK."):
            pass
        fields = message.reply.split(".")
        assert fields[2:5] == ["s", self.name, "1"]
        return message.subject, int(fields[5]), int(fields[6]), int(fields[8])


async def _stream(client: Client) -> None:
    config = StreamConfig(name="s", subjects=["s.*"], max_msgs_per_subject=1, storage=StorageType.FILE)
    await client.jetstream().add_stream(config)


def test_the_last_message_of_each_subject_comes_first(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await _stream(client)
        await fill(client, "s.a", "s.b", "s.c", "s.a")
        watch = Watch(client)
        made = await watch.begin(idle_heartbeat=S, flow_control=True)
        assert made["num_pending"] + made["delivered"]["consumer_seq"] == 3
        assert [await watch.next() for _ in range(3)] == [("s.b", 2, 1, 2), ("s.c", 3, 2, 1), ("s.a", 4, 3, 0)]
        await fill(client, "s.d", "s.b")
        assert [await watch.next() for _ in range(2)] == [("s.d", 5, 4, 0), ("s.b", 6, 5, 0)]

    run(body)


def test_a_watch_of_nothing_has_nothing_pending(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await _stream(client)
        watch = Watch(client)
        made = await watch.begin(idle_heartbeat=S, flow_control=True)
        assert (made["num_pending"], made["delivered"]) == (0, {"consumer_seq": 0, "stream_seq": 0})
        assert made["push_bound"]
        await fill(client, "s.a")
        assert await watch.next() == ("s.a", 1, 1, 0)

    run(body)


def test_heartbeats_tell_what_was_delivered(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await _stream(client)
        await fill(client, "s.a", "s.a")
        watch = Watch(client)
        await watch.begin(idle_heartbeat=S // 5)
        await watch.next()
        for _ in range(2):
            beat = await watch.raw()
            assert (beat.reply, beat.data) == ("", b"")
            assert beat.headers == {
                "Status": "100",
                "Description": "Idle Heartbeat",
                "Nats-Last-Consumer": "1",
                "Nats-Last-Stream": "2",
            }

    run(body)


def test_a_client_that_does_not_confirm_gets_no_more(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await client.jetstream().add_stream(StreamConfig(name="s", subjects=["s.*"]))
        for _ in range(200):
            await client.publish("s.a", b"1" * 100_000)
        await client.flush(timeout=30)
        watch = Watch(client)
        await watch.begin(deliver_policy="all", idle_heartbeat=S // 5, flow_control=True)
        read, questions = 0, 0
        while read < 200:
            message = await watch.raw()
            if message.reply.startswith("$JS.ACK."):
                read += 1
                continue
            headers = message.headers or {}
            assert headers["Status"] == "100"
            question = message.reply or headers.get("Nats-Consumer-Stalled")
            if headers["Description"] == "FlowControl Request":
                assert message.reply.startswith(f"$JS.FC.s.{watch.name}.")
            if question and headers["Description"] == "Idle Heartbeat":
                questions += 1  # only a client that did not confirm is asked so
                await client.publish(question)
        assert questions > 1

    run(body)


def test_a_watch_that_nobody_follows_is_forgotten(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await _stream(client)
        watch = Watch(client)
        await watch.begin(idle_heartbeat=S, inactive_threshold=S // 2)
        assert (await client.jetstream().stream_info("s")).state.consumer_count == 1
        await watch.subscription.unsubscribe()
        async with asyncio.timeout(30):
            while (await client.jetstream().stream_info("s")).state.consumer_count:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)

    run(body)


def test_a_deleted_consumer_falls_silent(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await _stream(client)
        watch = Watch(client)
        await watch.begin(idle_heartbeat=S // 5)
        await client.jetstream().delete_stream("s")
        found = []
        with_patience = asyncio.timeout(1)
        try:
            async with with_patience:
                while True:
                    found.append((await watch.raw()).headers)
        except TimeoutError:
            pass
        assert {(each or {}).get("Status") for each in found} <= {"100"}
        assert len(found) < 3

    run(body)
