"""Dead letters on a real server, to the last byte that it takes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgpack
import orjson
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from email_consumer.core.dead_letters import DeadLetterError, DeadLetterRefusedError
from email_consumer.core.delivery import Delivery
from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.message.model import decode
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from email_consumer.sources.jetstream.delivery import JetStreamDelivery
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.topology import Topology
from tests.factories import payload
from tests.servers.nats import NatsServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path, "max_payload: 100000") as server:
        yield server


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await connect(NatsEndpoint([server.url]))
    await Topology(
        client, MailStream(stream="mail", subject="mail.email", consumer="c", ack_wait=30.0, concurrency=1, replicas=1)
    ).ensure()
    yield client
    await client.close()


@pytest.fixture
def jetstream(client: Client) -> JetStreamContext:
    return client.jetstream()


@pytest.fixture
def letters(client: Client) -> JetStreamDeadLetters:
    return JetStreamDeadLetters(client, stream="mail", subject="mail.email", replicas=1)


MAIL = payload()


def _delivery(
    client: Client, data: bytes = MAIL, *, sequence: int = 7, headers: Mapping[str, str] | None = None
) -> Delivery:
    reply = f"$JS.ACK.mail.c.1.{sequence}.1.1700000000000000000.0"
    return JetStreamDelivery(client, Msg(client, "mail.email", reply, data, dict(headers or {})), "")


async def test_a_letter_is_kept_with_its_attributes(client: Client, letters: JetStreamDeadLetters) -> None:
    headers = {"Trace-Id": "t-1", "Nats-Msg-Id": "u-1", "Email-Reason": "forged", "Bad Name": "x"}
    await letters.store(_delivery(client, b"\x00raw\xff", headers=headers), "rejected", "no\nsuch\x1b ☺ mailbox", 3)
    letter = await letters.get(1)
    assert letter.payload == b"\x00raw\xff"
    assert (letter.kind, letter.reason, letter.attempts) == ("rejected", "no such \\u263a mailbox", 3)
    assert letter.reference == "mail:7"
    assert letter.headers["Email-Stream-Sequence"] == "7"
    assert letter.headers["Email-Failed-At"].endswith("+00:00")
    assert letter.headers["Trace-Id"] == "t-1"
    assert letter.headers["Nats-Msg-Id"] == "dlq:mail:7"


async def test_storing_again_makes_no_second_copy(client: Client, letters: JetStreamDeadLetters) -> None:
    for _ in range(3):
        await letters.store(_delivery(client), "undecodable", "poison", 0)
    assert [letter.sequence for letter in await letters.list()] == [1]


async def test_the_same_number_of_another_mail_is_not_taken_for_a_copy(
    client: Client, letters: JetStreamDeadLetters
) -> None:
    await letters.store(_delivery(client, b"before the stream was recreated"), "undecodable", "poison", 0)
    for _ in range(2):
        await letters.store(_delivery(client, b"after"), "undecodable", "poison", 0)
    kept = [(await letters.get(letter.sequence)).payload for letter in await letters.list()]
    assert kept == [b"before the stream was recreated", b"after"]


@pytest.mark.parametrize("room", [0, 1, 11, 60, 150, 400])
async def test_a_payload_up_to_the_limit_is_kept_whole(
    client: Client, letters: JetStreamDeadLetters, room: int
) -> None:
    payload = bytes(client.max_payload - room)
    headers = {"Trace-Id": "t" * 200}
    await letters.store(_delivery(client, payload, headers=headers), "undecodable", "poison", 0)
    letter = await letters.get(1)
    assert letter.payload == payload
    assert letter.kind == "undecodable"
    assert ("Nats-Msg-Id" in letter.headers) == (room >= 60)
    assert letter.reason == ("poison" if room >= 400 else "")
    assert client.is_connected


async def test_more_than_the_server_takes_is_said_and_the_connection_lives(
    client: Client, letters: JetStreamDeadLetters
) -> None:
    with pytest.raises(DeadLetterRefusedError, match="raise its max_payload"):
        await letters.store(_delivery(client, bytes(client.max_payload + 1)), "undecodable", "poison", 0)
    await client.flush()
    assert client.is_connected


async def test_more_than_an_operator_lets_the_stream_take_is_said(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters
) -> None:
    await jetstream.update_stream((await jetstream.stream_info("mail-dead")).config.evolve(max_msg_size=1000))
    with pytest.raises(DeadLetterRefusedError, match="raise max_msg_size of the stream mail-dead"):
        await letters.store(_delivery(client, bytes(1000)), "undecodable", "poison", 0)


async def test_the_stream_is_recreated_when_it_was_deleted(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters
) -> None:
    await jetstream.delete_stream("mail-dead")
    await letters.store(_delivery(client), "undecodable", "poison", 0)
    assert len(await letters.list()) == 1


async def test_pages_and_kinds(client: Client, letters: JetStreamDeadLetters) -> None:
    for sequence in range(1, 7):
        kind = "rejected" if sequence % 2 else "exhausted"
        await letters.store(_delivery(client, sequence=sequence), kind, "r", 1)
    assert [letter.sequence for letter in await letters.list(limit=2)] == [1, 2]
    assert [letter.sequence for letter in await letters.list(limit=10, after=4)] == [5, 6]
    assert [letter.sequence for letter in await letters.list(kind="exhausted")] == [2, 4, 6]


async def test_a_replay_publishes_the_raw_payload_once_and_takes_the_letter_off(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters
) -> None:
    headers = {"Trace-Id": "t-1", "Nats-Msg-Id": "u-1"}
    await letters.store(_delivery(client, MAIL, headers=headers), "exhausted", "tried 5 times", 5)
    sequence, _ = await letters.replay(1)
    message = await jetstream.get_msg("mail", sequence)
    assert message.data == MAIL
    assert message.headers is not None
    assert message.headers["Email-Replay-Of"].startswith("mail-dead:1:")
    assert message.headers["Trace-Id"] == "t-1"
    assert message.headers["Nats-Msg-Id"].startswith("replay:mail-dead:1:")
    assert set(message.headers) == {"Email-Replay-Of", "Trace-Id", "Nats-Msg-Id"}
    with pytest.raises(DeadLetterError, match="there is no dead letter 1 in mail-dead"):
        await letters.replay(1)
    assert (await jetstream.stream_info("mail")).state.messages == 1


async def test_a_replay_names_the_letter_of_its_time_also_when_the_stream_was_recreated(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters
) -> None:
    names = set()
    for _ in range(2):
        await letters.store(_delivery(client), "exhausted", "tried", 5)
        message = await jetstream.get_msg("mail", (await letters.replay(1)).sequence)
        names.add((message.headers or {})["Email-Replay-Of"])
        await jetstream.delete_stream("mail-dead")
    assert len(names) == 2


async def test_a_replay_that_was_cut_off_doubles_nothing(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters
) -> None:
    await letters.store(_delivery(client), "exhausted", "tried", 5)
    await jetstream.update_stream((await jetstream.stream_info("mail-dead")).config.evolve(sealed=True))
    for _ in range(2):  # published, but the letter can't be deleted: as after a crash
        with pytest.raises(DeadLetterError, match="published again, but could not be taken off"):
            await letters.replay(1)
    assert (await jetstream.stream_info("mail")).state.messages == 1


@pytest.mark.parametrize(
    "form", [MAIL, orjson.dumps(msgpack.unpackb(MAIL)), msgpack.packb(list(msgpack.unpackb(MAIL).values())[:4])]
)
async def test_a_conflict_is_replayed_as_another_mail(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters, form: bytes
) -> None:
    await letters.store(_delivery(client, form), "conflict", "its uuid stands for others", 0)
    with pytest.raises(
        DeadLetterError, match=r"other recipients: replay it under a new one \(--new-uuid, new_uuid=true\)"
    ):
        await letters.replay(1)
    assert (await jetstream.stream_info("mail")).state.messages == 0
    sequence, uuid = await letters.replay(1, new_uuid=True)
    message = await jetstream.get_msg("mail", sequence)
    before, after = decode(form), decode(message.data or b"")
    assert after == before.model_copy(update={"uuid": uuid})
    assert uuid != before.uuid
    assert await letters.list() == []


async def test_replayed_twice_under_a_new_uuid_it_is_the_same_one(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters
) -> None:
    """As after a crash between publishing it and taking the letter off."""
    await letters.store(_delivery(client), "conflict", "its uuid stands for others", 0)
    await jetstream.update_stream((await jetstream.stream_info("mail-dead")).config.evolve(sealed=True))
    uuids = set()
    for _ in range(2):
        with pytest.raises(DeadLetterError, match="published again, but could not be taken off"):
            await letters.replay(1, new_uuid=True)
        message = await jetstream.get_last_msg("mail", "mail.email")
        uuids.add(decode(message.data or b"").uuid)
        await jetstream.purge_stream("mail")
    assert len(uuids) == 1


async def test_two_replays_at_once_publish_once(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters
) -> None:
    await letters.store(_delivery(client), "exhausted", "tried", 5)
    await asyncio.gather(*(letters.replay(1) for _ in range(5)), return_exceptions=True)
    assert (await jetstream.stream_info("mail")).state.messages == 1
    assert await letters.list() == []


async def test_a_replay_without_room_for_its_mark_is_refused(
    client: Client, jetstream: JetStreamContext, letters: JetStreamDeadLetters
) -> None:
    room = client.max_payload - len(payload(body="b" * 70_000))
    await letters.store(_delivery(client, payload(body="b" * (70_000 + room))), "rejected", "r", 1)
    with pytest.raises(DeadLetterError, match=r"dead letter 1 can't be replayed: 100000 bytes and the headers"):
        await letters.replay(1)
    assert len(await letters.list()) == 1
    assert (await jetstream.stream_info("mail")).state.messages == 0


async def test_a_filter_with_wildcards_gets_replays_all_the_same(client: Client, jetstream: JetStreamContext) -> None:
    letters = JetStreamDeadLetters(client, stream="mail", subject="mail.*", replicas=1)
    await letters.store(_delivery(client), "exhausted", "tried", 5)
    assert (await jetstream.get_msg("mail", (await letters.replay(1)).sequence)).subject == "mail.replay"
