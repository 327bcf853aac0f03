"""Header blocks and subjects that no client library writes, and that nats-py can't read: the mail after them still comes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from email_consumer.jetstream.connection import NatsEndpoint, close, connect
from tests.integration.sources.harness import ReceiverHarness, pulling
from tests.servers.nats import NatsServer
from tests.servers.raw_publisher import RawPublisher

BLOCKS = {
    "one byte": b"x",
    "no more than the first line": b"NATS/1.0",
    "a status that is no text": b"XATS/1.0 \xff\xff\xff \xfe\r\n\r\n",
    "a description that is no text": b"XATS/1.0 200 \xfe\r\n\r\n",
    "a status of JetStream's": b"XATS/1.0 409 Consumer Deleted\r\n\r\n",
    "a status of digits that are no number": "XATS/1.0 ² x\r\n\r\n".encode(),
    "lines without a name": b"NATS/1.0\r\nnonsense\r\n: x\r\n\r\n",
    "bytes that are no text": b"NATS/1.0\r\nEmail-Replay-Of: \xff\xed\xa0\x80\r\nX-\xff: y\r\n\r\n",
    "no end": b"NATS/1.0\r\nA: b",
}


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await connect(NatsEndpoint([server.url]))
    yield client
    await close(client)


async def test_mail_with_headers_that_cannot_be_read_comes_and_so_does_the_mail_after_it(
    server: NatsServer, client: Client
) -> None:
    harness = ReceiverHarness(100)
    async with pulling(client, harness), RawPublisher(server.url) as raw:
        for name, block in BLOCKS.items():
            await raw.publish(b"messages.email", name.encode(), block)
            await raw.publish(b"messages.email", b"good", b"NATS/1.0\r\nTrace-Id: 1\r\n\r\n")
        await harness.wait_until(lambda: len(harness.held) == 2 * len(BLOCKS))
        payloads = [delivery.payload.decode() for delivery in harness.held]
        assert payloads == [each for name in BLOCKS for each in (name, "good")]
        assert all(delivery.headers == {"Trace-Id": "1"} for delivery in harness.held if delivery.payload == b"good")
        "".join(f"{name}{value}" for delivery in harness.held for name, value in delivery.headers.items()).encode()
        await harness.ack_all()
    assert client.stats["reconnects"] == 0


async def test_a_subject_that_is_no_text_ends_no_reading(server: NatsServer, client: Client) -> None:
    messages: asyncio.Queue[Msg] = asyncio.Queue()
    await client.subscribe("messages.*", cb=messages.put)
    await client.flush()
    async with RawPublisher(server.url) as raw:
        await raw.publish(b"messages.\xff\xfe", b"junk")
        await raw.publish(b"messages.email", b"good")
    assert [(await messages.get()).data for _ in range(2)] == [b"junk", b"good"]
