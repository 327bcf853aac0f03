"""The one way of publishing, against a real server: what it says no to is heard at once, in its own words."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, RetentionPolicy

from email_consumer.jetstream.connection import close
from email_consumer.jetstream.publisher import (
    ConflictError,
    LostAckError,
    NoStreamError,
    Publisher,
    RefusedError,
    Stored,
    TooLargeError,
)
from tests.servers.nats import NatsServer

NEVER = 3600.0
"""Seconds: an answer comes or the test fails."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path, "max_payload: 10000") as server:
        yield server


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    yield client
    await close(client)


async def stream(client: Client, **config: Any) -> None:
    await client.jetstream().add_stream(
        name="mail", subjects=["mail.*"], discard=DiscardPolicy.NEW, retention=RetentionPolicy.WORK_QUEUE, **config
    )


async def test_where_it_was_stored_is_returned(client: Client) -> None:
    await stream(client)
    publisher = Publisher(client, NEVER)
    assert await publisher.once("mail.a", b"1") == Stored("mail", 1, duplicate=False)
    assert await publisher.once("mail.a", b"2", {"Nats-Msg-Id": "n"}) == Stored("mail", 2, duplicate=False)
    assert await publisher.once("mail.a", b"3", {"Nats-Msg-Id": "n"}) == Stored("mail", 2, duplicate=True)


@pytest.mark.parametrize(
    ("limits", "kind", "words"),
    [
        ({"max_msgs": 1}, RefusedError, "maximum messages exceeded"),
        ({"max_bytes": 100}, RefusedError, "maximum bytes exceeded"),
        ({"max_msg_size": 3}, TooLargeError, "message size exceeds maximum allowed (max_msg_size)"),
    ],
)
async def test_a_refusal_is_in_the_servers_words(
    client: Client, limits: dict[str, int], kind: type[Exception], words: str
) -> None:
    await stream(client, **limits)
    publisher = Publisher(client, NEVER)
    await publisher.once("mail.a", b"1")
    with pytest.raises(kind) as refused:
        await publisher.once("mail.a", b"2" * 50)
    assert str(refused.value) == words


async def test_a_subject_that_no_stream_takes_is_heard_at_once(client: Client) -> None:
    with pytest.raises(NoStreamError, match="no stream takes it"):
        await Publisher(client, NEVER).once("mail.a", b"1")


async def test_a_message_beyond_max_payload_is_not_sent_and_the_connection_lives(client: Client) -> None:
    await stream(client)
    publisher = Publisher(client, NEVER)
    with pytest.raises(TooLargeError, match=r"the server takes 10,000 \(max_payload\)"):
        await publisher.once("mail.a", bytes(9990), {"Nats-Msg-Id": "n"})
    assert (await publisher.once("mail.a", b"1")).sequence == 1


async def test_a_conflict_is_no_refusal(client: Client) -> None:
    await stream(client)
    with pytest.raises(ConflictError):
        await Publisher(client, NEVER).once("mail.a", b"1", {"Nats-Expected-Last-Subject-Sequence": "7"})


async def test_without_an_answer_nobody_knows(client: Client, server: NatsServer) -> None:
    await stream(client)
    publisher = Publisher(client, 0.05)
    await publisher.once("mail.a", b"1")
    await server.kill()
    with pytest.raises(LostAckError):
        await publisher.once("mail.a", b"2")


async def test_an_answer_that_is_none_of_jetstreams_proves_nothing(client: Client) -> None:
    async def echo(message: Any) -> None:
        await message.respond(b"{}")

    await client.subscribe("mail.a", cb=echo)
    with pytest.raises(LostAckError, match="not from JetStream"):
        await Publisher(client, NEVER).once("mail.a", b"1")


async def test_a_known_name_is_believed_of_what_is_still_there(client: Client) -> None:
    await stream(client)
    publisher = Publisher(client, NEVER)
    first = await publisher.store("mail.a", b"1", "n", {})
    again = await publisher.store("mail.a", b"1", "n", {})
    assert (first.sequence, again.sequence, again.duplicate) == (1, 1, True)
    await client.jetstream().purge_stream("mail")
    again = await publisher.store("mail.a", b"1", "n", {})
    assert (again.sequence, again.duplicate) == (2, False)


async def test_another_message_at_its_place_is_not_taken_for_it(client: Client) -> None:
    await stream(client)
    publisher = Publisher(client, NEVER)
    stored = await publisher.once("mail.a", b"1", {"Nats-Msg-Id": "n"})
    assert await publisher.holds(stored, "n")
    assert not await publisher.holds(stored, "m")


async def test_refusals_hold_nobody_who_waits_for_room(client: Client) -> None:
    await stream(client, max_msgs=1)
    publisher = Publisher(client, NEVER)
    await publisher.once("mail.a", b"1")
    waiting = asyncio.create_task(publisher.until_stored("mail.a", b"2", "n"))
    with pytest.raises(RefusedError):
        await publisher.once("mail.a", b"3")
    await client.jetstream().purge_stream("mail")
    assert (await waiting).sequence == 2
    with pytest.raises(TooLargeError):  # trying again would be no use
        await publisher.until_stored("mail.a", bytes(10_001), "n")


async def test_a_thousand_at_once_are_answered_each(client: Client) -> None:
    await stream(client)
    publisher = Publisher(client, NEVER)
    stored = await asyncio.gather(*(publisher.once("mail.a", b"%d" % number) for number in range(1000)))
    assert sorted(each.sequence for each in stored) == list(range(1, 1001))
