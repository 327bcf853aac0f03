"""`email-consumer dlq` as a process, as an operator calls it."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.message.model import EmailMessage, decode, encode
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from email_consumer.sources.jetstream.delivery import JetStreamDelivery
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.topology import Topology
from tests.factories import payload
from tests.servers.nats import NatsServer
from tests.servers.program import run_program


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path) as server:
        yield server


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await connect(NatsEndpoint([server.url]))
    topology = Topology(
        client,
        MailStream(stream="messages", subject="messages.email", consumer="c", ack_wait=30.0, concurrency=1, replicas=1),
    )
    await topology.ensure()
    yield client
    await client.close()


async def _store(client: Client, payload: bytes, kind: str, reason: str, sequence: int) -> None:
    letters = JetStreamDeadLetters(client, stream="messages", subject="messages.email", replicas=1)
    reply = f"$JS.ACK.messages.c.1.{sequence}.1.1700000000000000000.0"
    await letters.store(JetStreamDelivery(client, Msg(client, "", reply, payload, None), ""), kind, reason, 2)


async def _mails(client: Client) -> None:
    mail = EmailMessage(uuid="u-1", email="jane@example.com", subject="Hello\x9b", body="<p>" + "x" * 2_000 + "</p>")
    await _store(client, encode(mail), "rejected", "MessageRejected: Address is bad", 4711)
    await _store(client, b"\xc1 not MessagePack \x1b[2J", "undecodable", "not MessagePack", 4712)
    await _store(client, encode(mail), "exhausted", "5 attempts", 4713)


async def _dlq(server: NatsServer, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    environ = {"PATH": os.environ["PATH"], "NATS_URL": server.url}
    return await run_program("dlq", *arguments, directory=Path(), environment=environ)


async def test_list(server: NatsServer, client: Client) -> None:
    assert await _dlq(server, "list") == (0, "No dead letters.\n", "")
    await _mails(client)
    _, out, _ = await _dlq(server, "list")
    heading, first, second, third = out.splitlines()
    assert heading.split() == ["SEQ", "STORED", "AT", "KIND", "ATTEMPTS", "REFERENCE", "REASON"]
    assert "rejected" in first
    assert first.endswith("messages:4711  MessageRejected: Address is bad")
    assert second.split()[0] == "2"
    assert "exhausted" in third


async def test_list_as_json_in_pages(server: NatsServer, client: Client) -> None:
    await _mails(client)
    _, out, err = await _dlq(server, "list", "--json", "--limit", "1", "--after", "1")
    letter = json.loads(out)
    assert (letter["sequence"], letter["kind"], letter["reference"]) == (2, "undecodable", "messages:4712")
    assert "--after 2" not in out + err
    _, out, err = await _dlq(server, "list", "--limit", "2")
    assert "--after 2" in err


async def test_show_a_mail(server: NatsServer, client: Client) -> None:
    await _mails(client)
    code, out, _ = await _dlq(server, "show", "1")
    assert code == 0
    for part in ("reason: MessageRejected: Address is bad", "Email-Attempts: 2", "email: jane@example.com"):
        assert part in out
    assert "body (2007 characters): <p>xxx" in out
    assert "x" * 700 not in out
    assert "subject: Hello\\u009b" in out


async def test_show_poison(server: NatsServer, client: Client) -> None:
    await _mails(client)
    _, out, _ = await _dlq(server, "show", "2")
    assert "Not decodable" in out
    assert "c1 20 6e 6f 74 20 4d 65" in out
    assert ". not MessagePac" in out
    assert "\x1b" not in out


async def test_replay_one_and_then_all_of_a_reason(server: NatsServer, client: Client) -> None:
    await _mails(client)
    code, out, err = await _dlq(server, "replay", "1", "99")
    assert (code, out) == (1, "1 → messages:1\n1 of 2 replayed\n")
    assert "there is no dead letter 99 in messages-dead" in err
    _, out, _ = await _dlq(server, "replay", "--all", "--reason", "exhausted")
    assert out == "3 → messages:2\n1 of 1 replayed\n"
    assert (await client.jetstream().stream_info("messages")).state.messages == 2


async def test_replay_a_conflict(server: NatsServer, client: Client) -> None:
    await _mails(client)
    message = payload()
    await client.jetstream().publish("messages-dead.conflict", message)
    code, out, err = await _dlq(server, "replay", "4")
    assert (code, out) == (1, "0 of 1 replayed\n")
    assert err.startswith("dead letter 4 can't be replayed under its own uuid")
    code, out, err = await _dlq(server, "replay", "--all", "--reason", "conflict", "--new-uuid")
    assert (code, err) == (0, "")
    stored = await client.jetstream().get_msg("messages", 1)
    assert out == f"4 → messages:1 as {decode(stored.data or b'').uuid}\n1 of 1 replayed\n"


async def test_what_is_no_message_stays_where_it_is(server: NatsServer, client: Client) -> None:
    await _mails(client)
    code, out, err = await _dlq(server, "replay", "--all", "--reason", "undecodable")
    assert (code, out) == (1, "0 of 1 replayed\n")
    assert err.startswith("dead letter 2 can't be replayed, it is not a valid message: not MessagePack")
    assert (await client.jetstream().stream_info("messages")).state.messages == 0
    assert (await client.jetstream().stream_info("messages-dead")).state.messages == 3


async def test_remove_one_and_then_all_of_a_reason(server: NatsServer, client: Client) -> None:
    await _mails(client)
    code, out, err = await _dlq(server, "remove", "1", "99")
    assert (code, out) == (1, "1 of 2 removed\n")
    assert "there is no dead letter 99 in messages-dead" in err
    assert await _dlq(server, "remove", "--all", "--reason", "undecodable") == (0, "1 of 1 removed\n", "")
    _, out, _ = await _dlq(server, "list")
    assert [line.split()[0] for line in out.splitlines()] == ["SEQ", "3"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay"], "give the SEQ of each, as `dlq list` shows it, or --all"),
        (["remove"], "give the SEQ of each, as `dlq list` shows it, or --all"),
        (["remove", "99999999999999999999"], "is not in the range"),
        (["replay", "1", "--all"], "give the SEQ of each, as `dlq list` shows it, or --all"),
        (["replay", "1", "--reason", "rejected"], "--reason goes with --all"),
        (["show", "5"], "there is no dead letter 5"),
    ],
)
async def test_misuse_is_answered_in_plain_words(server: NatsServer, arguments: list[str], words: str) -> None:
    code, out, err = await _dlq(server, *arguments)
    assert code != 0
    assert out == ""
    assert words in err
    assert "Traceback" not in err


async def test_no_server(server: NatsServer) -> None:
    await server.kill()
    code, _, err = await _dlq(server, "list")
    assert code == 1
    assert "nothing listens there" in err.splitlines()[-1]


async def test_a_kind_in_both_spellings(server: NatsServer, client: Client) -> None:
    await _mails(client)
    await _store(client, payload(), "in-doubt", "no event from SES", 4714)
    for kind in ("in-doubt", "in_doubt"):  # as states of mail are spelled
        code, out, _ = await _dlq(server, "list", "--json", "--kind", kind)
        assert (code, json.loads(out)["kind"]) == (0, "in-doubt")
    code, _, err = await _dlq(server, "list", "--kind", "lost")
    assert (code, "'undecodable', 'rejected', 'exhausted', 'in-doubt', 'conflict'" in err) == (2, True)
