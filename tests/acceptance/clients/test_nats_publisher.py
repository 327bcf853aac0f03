"""The publisher of the Python client against a real nats-server: what it stores, what it does when that fails."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import nats
import pytest
from nats.js.api import DiscardPolicy
from nats.js.client import JetStreamContext

from email_consumer_client import Message, NotAcknowledgedError, RefusedError, UnreachableError
from email_consumer_client.nats import AsyncNatsPublisher, NatsPublisher
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.waiting import until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats", "max_payload: 64KB") as server:
        yield server


@pytest.fixture
async def stream(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(server.url)
    stream = client.jetstream()
    await stream.add_stream(name="messages", subjects=["messages.*"])
    yield stream
    await client.close()


def _message(**given: Any) -> Message:
    return Message(**{"to": "a@example.com", "subject": "s", "body": "b"} | given)


async def test_each_recipient_gets_a_mail_on_the_subject_of_its_lane(
    server: NatsServer, stream: JetStreamContext
) -> None:
    async with AsyncNatsPublisher(server.url) as publisher:
        published = await publisher.publish(
            _message(to=["a@example.com", "b@example.com"]), _message(uuid="u", lane="transactional")
        )
    stored = [await stream.get_msg("messages", each.sequence) for each in published]
    mails = [msgpack.unpackb(each.data or b"") for each in stored]
    assert [mail["email"] for mail in mails] == ["a@example.com", "b@example.com", "a@example.com"]
    assert [each.subject for each in stored] == ["messages.email", "messages.email", "messages.transactional"]
    assert [(each.headers or {})["Nats-Msg-Id"] for each in stored] == [each.uuid for each in published]
    assert [mail["uuid"] for mail in mails] == [each.uuid for each in published]
    assert len({each.uuid for each in published}) == 3
    assert mails[2] == {"uuid": "u", "email": "a@example.com", "subject": "s", "body": "b", "lane": "transactional"}


async def test_two_thousand_at_a_time(server: NatsServer, stream: JetStreamContext) -> None:
    async with AsyncNatsPublisher(server.url) as publisher:
        published = await publisher.publish(_message(to=[f"u{number}@example.com" for number in range(2000)]))
    assert len({each.sequence for each in published}) == 2000
    assert (await stream.stream_info("messages")).state.messages == 2000


async def test_without_a_stream(server: NatsServer) -> None:
    async with AsyncNatsPublisher(server.url, timeout=100) as publisher:
        with pytest.raises(RefusedError, match=r"no stream takes messages\.email") as raised:
            await publisher.publish(_message(uuid="u"))
    assert raised.value.uuid == "u"


@pytest.mark.usefixtures("stream")
async def test_a_mail_that_is_too_large(server: NatsServer) -> None:
    async with AsyncNatsPublisher(server.url, timeout=100) as publisher:
        with pytest.raises(RefusedError, match=r"the server takes 65,536 \(max_payload\)"):
            await publisher.publish(_message(body="x" * 65536))


async def test_a_full_stream_says_which_mails_are_stored(server: NatsServer, stream: JetStreamContext) -> None:
    config = (await stream.stream_info("messages")).config
    await stream.update_stream(config.evolve(max_msgs=2, discard=DiscardPolicy.NEW))
    async with AsyncNatsPublisher(server.url, timeout=100) as publisher:
        with pytest.RaisesGroup(pytest.RaisesExc(RefusedError, match="maximum messages exceeded")) as raised:
            await publisher.publish(*(_message(uuid=f"u{number}") for number in range(3)))
    [refused] = raised.value.exceptions
    assert isinstance(refused, RefusedError)
    assert refused.uuid not in {(await _uuid(stream, sequence)) for sequence in (1, 2)}


async def _uuid(stream: JetStreamContext, sequence: int) -> str:
    return str(((await stream.get_msg("messages", sequence)).headers or {})["Nats-Msg-Id"])


@pytest.mark.usefixtures("stream")
async def test_a_lost_acknowledgement_is_repeated_and_stored_once(server: NatsServer) -> None:
    async with AsyncNatsPublisher(server.url, timeout=0.5, repetitions=100, reconnect_time_wait=0.05) as publisher:
        await server.kill()
        publishing = asyncio.create_task(publisher.publish(_message(uuid="u")))
        await asyncio.sleep(0)
        await server.restart()
        [published] = await publishing
    assert published.uuid == "u"
    client = await nats.connect(server.url)
    assert (await client.jetstream().stream_info("messages")).state.messages == 1
    await client.close()


@pytest.mark.usefixtures("stream")
async def test_no_acknowledgement_at_all(server: NatsServer) -> None:
    async with AsyncNatsPublisher(server.url, timeout=0.1, repetitions=1) as publisher:
        await server.stop()
        with pytest.raises(NotAcknowledgedError, match="u: no acknowledgement"):
            await publisher.publish(_message(uuid="u"))


async def test_after_the_server_closed_the_connection_for_good(server: NatsServer, stream: JetStreamContext) -> None:
    async with AsyncNatsPublisher(server.url) as publisher:
        [before] = await publisher.publish(_message())
        connection = publisher._connection
        assert connection
        await connection._process_err("'user authentication expired'")  # what the server says of a token that has
        await until(lambda: connection.is_closed)
        [after] = await publisher.publish(_message())
    assert (await stream.stream_info("messages")).state.last_seq == after.sequence == before.sequence + 1


async def test_nothing_listens() -> None:
    [port] = free_ports(1)
    with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}.*Connect"):
        await AsyncNatsPublisher(f"nats://127.0.0.1:{port}", timeout=0.5).publish(_message())


@pytest.mark.usefixtures("stream")
async def test_without_asyncio(server: NatsServer) -> None:
    def publish() -> tuple[str, str]:
        publisher = NatsPublisher(server.url)
        [published] = publisher.publish(_message(uuid="u"))
        publisher.close()
        publisher.close()
        return published.uuid, published.stream

    assert await asyncio.to_thread(publish) == ("u", "messages")
