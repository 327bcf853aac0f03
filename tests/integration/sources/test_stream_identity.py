"""Each delivery tells which stream of its name it comes from, also when that was deleted and made again."""

from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from email_consumer.core.mail_queue import Mark
from email_consumer.pipeline.gate import covers
from email_consumer.sources.jetstream.mail_queue import JetStreamQueue
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.topology import Topology
from tests.integration.sources.harness import ReceiverHarness, publish, pulling
from tests.servers.nats import NatsServer


async def mark(client: Client) -> Mark:
    return await JetStreamQueue(client, stream="messages", subject="messages.email", consumer="c").mark()


async def make_again(url: str) -> None:
    """By another process: stream and consumer are gone and there again before we can have noticed."""
    other = await nats.connect(url)
    await other.jetstream().delete_stream("messages")
    await Topology(
        other,
        MailStream(stream="messages", subject="messages.email", consumer="c", ack_wait=30, concurrency=1, replicas=1),
    ).ensure()
    await other.close()


async def test_what_was_stored_before_a_mark_is_covered_and_nothing_else(client: Client) -> None:
    harness = ReceiverHarness(10)
    async with pulling(client, harness):
        await publish(client, 3)
        cancelled = await mark(client)
        await publish(client, 2)
        await harness.wait_until(lambda: len(harness.held) == 5)
    stopped = [covers(cancelled, harness.origin(delivery)) for delivery in harness.held]
    assert stopped == [True, True, True, False, False]


@pytest.mark.parametrize("capacity", [10, 1], ids=["while we wait for mail", "while we ask for none"])
async def test_a_stream_made_again_is_known_for_another_one(client: Client, server: NatsServer, capacity: int) -> None:
    harness = ReceiverHarness(capacity)
    async with pulling(client, harness):
        await publish(client, 1)
        await harness.wait_until(lambda: len(harness.held) == 1)
        cancelled = await mark(client)
        assert covers(cancelled, harness.origin(harness.held[0]))
        await make_again(server.url)
        await publish(client, 1)
        await harness.ack_all()
        await harness.wait_until(lambda: len(harness.held) == 1)
        again = harness.origin(harness.held[0])
    assert again.sequence == 1
    assert not covers(cancelled, again)
    assert covers(await mark_of(server), again)


async def mark_of(server: NatsServer) -> Mark:
    client = await nats.connect(server.url)
    try:
        return await mark(client)
    finally:
        await client.close()


async def test_a_store_lost_with_its_server_is_noticed(client: Client, server: NatsServer, tmp_path: Path) -> None:
    harness = ReceiverHarness(10)
    async with pulling(client, harness):
        await publish(client, 1)
        await harness.wait_until(lambda: len(harness.held) == 1)
        cancelled = await mark(client)
        await server.kill()
        (tmp_path / "jetstream").rename(tmp_path / "lost")
        await server.restart()
        await make_stream_and_publish(server)
        await harness.ack_all()
        await harness.wait_until(lambda: len(harness.held) == 1)
        assert not covers(cancelled, harness.origin(harness.held[0]))


async def make_stream_and_publish(server: NatsServer) -> None:
    other = await nats.connect(server.url)
    await Topology(
        other,
        MailStream(stream="messages", subject="messages.email", consumer="c", ack_wait=30, concurrency=1, replicas=1),
    ).ensure()
    await publish(other, 1)
    await other.close()
