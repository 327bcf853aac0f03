"""`email-consumer publish` as a process, against a real nats-server."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgpack
import nats
import pytest
from nats.js.api import DiscardPolicy
from nats.js.client import JetStreamContext

from email_consumer.local.servers import LocalServers
from email_consumer.message.fingerprint import address_hash
from tests.servers.nats import NatsServer
from tests.servers.program import run_program
from tests.waiting import patience

_MAIL = ("--subject", "Grüße", "--html", "-")


@dataclass(frozen=True)
class Answer:
    exit: int
    out: str
    err: str


async def _publish(*arguments: str, cwd: Path, nats_url: str = "", html: bytes = b"<p>hi</p>") -> Answer:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NATS_")}
    environ |= {"NATS_URL": nats_url} if nats_url else {}
    return Answer(*await run_program("publish", *arguments, directory=cwd, environment=environ, stdin=html))


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


async def _stored(stream: JetStreamContext) -> list[dict[str, object]]:
    count = (await stream.stream_info("messages")).state.messages
    found = [await stream.get_msg("messages", sequence) for sequence in range(1, count + 1)]
    return [msgpack.unpackb(message.data or b"") for message in found]


async def test_every_option_of_a_mail(server: NatsServer, stream: JetStreamContext, tmp_path: Path) -> None:
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    (tmp_path / "logs.tar.gz").write_bytes(b"zipped")
    (tmp_path / "text").write_bytes("Grüße\r\n".encode())
    answer = await _publish(
        *("--to", "a@example.com", "--to", "b@example.com", "--uuid", "u", "--text", "text", *_MAIL),
        *("--from", "Sender <s@example.com>", "--at", "2030-01-01 09:00:00", "--attach", "plan.pdf"),
        *("--attach", "logs.tar.gz", "--lane", "transactional", "--group", "news", "--json", "--write-uuids", "uuids"),
        cwd=tmp_path,
        nats_url=server.url,
    )
    assert (answer.exit, answer.err) == (0, "")
    result = json.loads(answer.out)
    assert (result["stored"], result["duplicates"], result["stream"], len(result["uuids"])) == (2, 0, "messages", 2)
    written = (tmp_path / "uuids").read_text()
    assert written == "".join(f"{uuid}\t{name}@example.com\n" for uuid, name in zip(result["uuids"], "ab", strict=True))
    first, _ = await _stored(stream)
    assert (first["uuid"], first["text"], first["body"]) == (result["uuids"][0], "Grüße\r\n", "<p>hi</p>")
    assert (first["from_email"], first["scheduled_at"]) == ("Sender <s@example.com>", "2030-01-01T09:00:00+00:00")
    assert (first["lane"], first["unsubscribe_group"], first["list_unsubscribe"]) == ("transactional", "news", True)
    assert first["attachments"] == [
        {"filename": "plan.pdf", "content": b"%PDF", "content_type": "application/pdf"},
        {"filename": "logs.tar.gz", "content": b"zipped"},
    ]


async def test_one_mail_is_stored_as_a_publisher_would_send_it(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    html = "<p>Größe\r\n</p>".encode()
    answer = await _publish(
        *("--to", "Jane <jane@example.com>", "--uuid", "u-1", "--topic", "t", *_MAIL),
        cwd=tmp_path,
        nats_url=server.url,
        html=html,
    )
    assert (answer.exit, answer.err) == (0, "")
    assert answer.out == "1 stored in stream messages: u-1\n"
    assert await _stored(stream) == [
        {
            "uuid": "u-1",
            "email": "Jane <jane@example.com>",
            "subject": "Grüße",
            "body": html.decode(),
            "topic_id": "t",
        }
    ]
    headers = (await stream.get_msg("messages", 1)).headers or {}
    assert headers["Nats-Msg-Id"].startswith("u-1:")


async def test_many_recipients_each_get_their_own_uuid(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    (tmp_path / "list").write_text("\ufeff# subscribers\n\n" + "".join(f"a{n}@example.com\n" for n in range(1200)))
    arguments = ("--to", "first@example.com", "--to-file", "list", *_MAIL)
    answer = await _publish(*arguments, cwd=tmp_path, nats_url=server.url)
    assert answer.exit == 0
    assert answer.out.startswith("1201 stored in stream messages: ")
    stored = await _stored(stream)
    assert [mail["email"] for mail in stored] == ["first@example.com", *(f"a{n}@example.com" for n in range(1200))]
    assert len({mail["uuid"] for mail in stored}) == 1201


async def test_the_same_uuids_again_are_stored_once(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    arguments = ("--to", "a@example.com", "--to", "b@example.com", "--uuid", "run7", *_MAIL)
    await _publish(*arguments, cwd=tmp_path, nats_url=server.url)
    again = await _publish(*arguments, cwd=tmp_path, nats_url=server.url)
    uuids = f"run7-{address_hash('a@example.com')} run7-{address_hash('b@example.com')}"
    assert again.out == f"0 stored in stream messages, 2 published before: {uuids}\n"
    assert len(await _stored(stream)) == 2


async def test_uuids_belong_to_addresses_and_not_to_lines(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    """The list is edited and published again: new recipients get the mail, nobody is numbered as somebody else."""
    arguments = ("--to-file", "list", "--uuid", "launch", *_MAIL)
    for people in ("anna bea", "new anna", "BEA"):
        (tmp_path / "list").write_text("".join(f"{each}@example.com\n" for each in people.split()))
        answer = await _publish(*arguments, cwd=tmp_path, nats_url=server.url)
        assert answer.exit == 0
    stored = {(mail["uuid"], str(mail["email"]).lower()) for mail in await _stored(stream)}
    assert stored == {(f"launch-{address_hash(email)}", email) for _, email in stored}
    assert {email for _, email in stored} == {f"{name}@example.com" for name in ("anna", "bea", "new")}


async def test_an_address_that_is_named_twice_gets_one_mail(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    (tmp_path / "list").write_text("bea@example.com\nAnna <ANNA@Example.com>\n")
    arguments = ("--to", "anna@example.com", "--to-file", "list", "--json", *_MAIL)
    answer = await _publish(*arguments, cwd=tmp_path, nats_url=server.url)
    result = json.loads(answer.out)
    assert (result["stored"], result["merged"], len(result["uuids"])) == (2, 1, 2)
    assert [mail["email"] for mail in await _stored(stream)] == ["anna@example.com", "bea@example.com"]


async def test_another_mail_of_a_known_uuid_reaches_the_sender(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    """The stream drops what has a known name without a word: it is for the ledger to say what such a mail is."""
    for to, subject in (("a", "one"), ("b", "one"), ("a", "another"), ("a", "one")):
        arguments = ("--to", f"{to}@example.com", "--uuid", "u-1", *_MAIL, "--subject", subject)
        assert (await _publish(*arguments, cwd=tmp_path, nats_url=server.url)).exit == 0
    mails = [(mail["email"], mail["subject"]) for mail in await _stored(stream)]
    assert mails == [("a@example.com", "one"), ("b@example.com", "one"), ("a@example.com", "another")]


async def test_bad_addresses_are_named_with_their_lines_and_nothing_is_published(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    (tmp_path / "list").write_text("good@example.com\nno-address\n\nb@d@example.com\n")
    answer = await _publish("--to-file", "list", *_MAIL, cwd=tmp_path, nats_url=server.url)
    assert answer.exit == 1
    assert "list line 2: 'no-address'" in answer.err
    assert "list line 4: 'b@d@example.com'" in answer.err
    assert await _stored(stream) == []


async def test_a_stream_that_is_full_says_so_at_once_in_its_own_words(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    config = (await stream.stream_info("messages")).config
    await stream.update_stream(config.evolve(max_msgs=2, discard=DiscardPolicy.NEW))
    (tmp_path / "list").write_text("".join(f"u{number}@example.com\n" for number in range(5)))
    async with patience():  # it used to wait for 30 s, and then to say that the server did not answer
        answer = await _publish("--to-file", "list", *_MAIL, cwd=tmp_path, nats_url=server.url)
    assert answer.exit == 1
    assert "2 of 5 stored, then: the server refused: maximum messages exceeded" in answer.err


async def test_a_known_uuid_that_the_stream_does_not_hold_any_more_is_distinguished(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    arguments = ("--to", "a@example.com", "--uuid", "u-1", *_MAIL)
    for _ in range(2):
        answer = await _publish(*arguments, cwd=tmp_path, nats_url=server.url)
    assert answer.out == "0 stored in stream messages, 1 published before: u-1\n"
    await stream.purge_stream("messages")
    answer = await _publish(*arguments, cwd=tmp_path, nats_url=server.url)
    assert (
        "0 stored in stream messages, 1 published before (1 no longer there: sent since, or purged): u-1" in answer.out
    )


async def test_a_mail_beyond_the_servers_limit_is_refused_before_it_is_sent(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    answer = await _publish(
        *("--to", "a@example.com", *_MAIL), cwd=tmp_path, nats_url=server.url, html=b"x" * 64 * 1024
    )
    assert answer.exit == 1
    assert "the server takes 65,536 (max_payload)" in answer.err
    assert await _stored(stream) == []


@pytest.mark.usefixtures("server")
async def test_without_a_stream_it_says_who_makes_one(server: NatsServer, tmp_path: Path) -> None:
    answer = await _publish("--to", "a@example.com", *_MAIL, cwd=tmp_path, nats_url=server.url)
    assert answer.exit == 1
    assert "0 of 1 stored, then: no stream takes messages.email" in answer.err
    assert "Traceback" not in answer.err


async def test_without_a_server_it_says_what_to_check(tmp_path: Path) -> None:
    answer = await _publish("--to", "a@example.com", *_MAIL, cwd=tmp_path, nats_url="nats://127.0.0.1:9")
    assert answer.exit == 1
    assert "check NATS_URL" in answer.err
    assert "Traceback" not in answer.err


async def test_a_local_server_is_found_by_its_data_directory(tmp_path: Path) -> None:
    async with LocalServers(tmp_path / "data", 3000) as servers:
        client = await nats.connect(servers.nats_url)
        await client.jetstream().add_stream(name="messages", subjects=["messages.*"])
        answer = await _publish("--to", "a@example.com", "--uuid", "u", *_MAIL, cwd=tmp_path)
        assert answer.out == "1 stored in stream messages: u\n"
        assert len(await _stored(client.jetstream())) == 1
        await client.close()


async def test_the_readmes_python_is_stored_the_same_way(
    server: NatsServer, stream: JetStreamContext, tmp_path: Path
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    snippet = readme.partition("```python\n")[2].partition("```")[0]
    code = snippet.replace("nats://127.0.0.1:4222", server.url)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=tmp_path)
    assert await process.wait() == 0
    (mail,) = await _stored(stream)
    assert (mail["email"], mail["subject"], mail["body"]) == ("you@example.com", "Hello", "<h1>It works</h1>")
    assert (await stream.get_msg("messages", 1)).headers == {"Nats-Msg-Id": mail["uuid"]}
