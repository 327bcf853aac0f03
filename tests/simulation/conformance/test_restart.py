"""The server ends and comes back: what is kept, what is lost, who is told."""

import asyncio

import pytest
from nats.aio.msg import Msg
from nats.errors import (
    OutboundBufferLimitError,
)
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from tests.simulation.conformance.connection_log import ConnectionLog
from tests.simulation.conformance.pulls import S, fill, info, settle, work_queue
from tests.simulation.conformance.site import Run, Site
from tests.simulation.conformance.test_publishing import publish


def test_a_client_comes_back_with_its_subscriptions(run: Run) -> None:
    async def body(site: Site) -> None:
        log = ConnectionLog()
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
        log = ConnectionLog()
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
        log = ConnectionLog()
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
        log = ConnectionLog()
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
        log = ConnectionLog()
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
