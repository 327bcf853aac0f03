"""Dead letters as the command, the API and the page read them: whatever their headers are, and without their payloads."""

import json
import os
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from email_consumer.cli.dead_letter_view import full
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from tests.factories import payload
from tests.integration.api.harness import ApiHarness, running
from tests.servers.counting_proxy import CountingProxy
from tests.servers.nats import NatsServer
from tests.servers.program import run_program
from tests.servers.raw_publisher import RawPublisher

PAGE = "/v1/dead-letters?limit=25&after="
"""What the page asks for at first; see `dead-letters.js`."""

MAIL = payload()


def block(*lines: str | bytes) -> bytes:
    encoded = (line.encode() if isinstance(line, str) else line for line in lines)
    return b"\r\n".join([b"NATS/1.0", *encoded, b"", b""])


ABSURD = {
    "attempts that are digits and no number": block("Email-Attempts: ²"),
    "attempts of another script": block("Email-Attempts: ٣"),
    "negative attempts": block("Email-Attempts: -1"),
    "attempts with blanks": block("Email-Attempts: 1 000"),
    "huge attempts": block("Email-Attempts: " + "9" * 5_000),
    "as many attempts as are read": block("Email-Attempts: " + "9" * 18),
    "a bad date": block("Email-Failed-At: 31 February", "Email-Stream-Sequence: -7"),
    "no text": block(b"Email-Reason: \xff\xed\xa0\x80", b"X-\xff: y"),
    "a terminal's orders": block("Email-Reason: \x1b[2J\x9b0m\x00", "Email-Reference: \u202e\x07"),
    "encoded words": block("Email-Reason: =?utf-8?b?////?= =?x?q?="),
    "a long reason": block("Email-Reason: " + "r" * 50_000),
    "no header": block("nonsense", ": x"),
    "twice": block("Email-Reason: one", "Email-Reason: two", "email-reason: three"),
    "a size of its own": block("Nats-Msg-Size: -5", "Nats-Subject: x", "Nats-Sequence: y"),
    "only the first line": b"NATS/1.0",
    "no end": b"NATS/1.0\r\nA: b",
    "another protocol": b"XATS/1.0 \xff\xff\xff \xfe\r\n\r\n",
    "folded": block("Email-Reason: a", " b", "\tc"),
    "carriage returns": block("Email-Reason: a\rEmail-Attempts: b\nEmail-Reference: c"),
    "nothing": b"",
}


@pytest.fixture
async def harness(tmp_path: Path, server: NatsServer) -> AsyncIterator[ApiHarness]:
    """Without a worker and a schedule: what is replayed stays in the stream."""
    async with running(tmp_path, server.url, schedule=False) as harness:
        yield harness


@pytest.fixture
async def absurd(server: NatsServer, harness: ApiHarness) -> int:
    """How many letters there are; the last one is in order but for its subject."""
    assert harness.client.is_connected
    async with RawPublisher(server.url) as raw:
        for headers in ABSURD.values():
            await raw.publish(b"messages-dead.rejected", MAIL, headers)
        await raw.publish(b"messages-dead.\xff\xfe", MAIL)
    return len(ABSURD) + 1


async def dlq(url: str, *arguments: str) -> tuple[int, str, str]:
    environ = {"PATH": os.environ["PATH"], "NATS_URL": url}
    return await run_program("dlq", *arguments, directory=Path(), environment=environ)


async def ask(harness: ApiHarness, method: str, path: str) -> Any:
    async with harness.session.request(method, harness.url + path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_the_command_lists_each(server: NatsServer, absurd: int) -> None:
    code, out, err = await dlq(server.url, "list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [str(number + 1) for number in range(absurd)]
    assert out.replace("\n", "").isprintable()
    code, out, err = await dlq(server.url, "list", "--json")
    assert (code, err) == (0, "")
    assert {(letter["sequence"], letter["bytes"]) for letter in map(json.loads, out.splitlines())} == {
        (number + 1, len(MAIL)) for number in range(absurd)
    }


async def test_the_command_shows_replays_and_removes_each(server: NatsServer, harness: ApiHarness, absurd: int) -> None:
    letters = JetStreamDeadLetters(harness.client, stream="messages", subject="messages.email", replicas=1)
    for number in range(1, absurd + 1):
        assert "a@example.com" in full(await letters.get(number), UTC)
    code, out, err = await dlq(server.url, "show", str(1 + [*ABSURD].index("a terminal's orders")))
    assert (code, "a@example.com" in out, err) == (0, True, "")
    assert out.replace("\n", "").isprintable()
    half = absurd // 2
    code, out, err = await dlq(server.url, "replay", *(str(number) for number in range(1, half + 1)))
    assert (code, out.splitlines()[-1], err) == (0, f"{half} of {half} replayed", "")
    code, out, err = await dlq(server.url, "remove", "--all")
    assert (code, out.splitlines()[-1], err) == (0, f"{absurd - half} of {absurd - half} removed", "")
    assert (await harness.client.jetstream().stream_info("messages")).state.messages == half


async def test_the_api_and_the_page_list_show_replay_and_remove_each(harness: ApiHarness, absurd: int) -> None:
    listed = (await ask(harness, "GET", PAGE))["dead_letters"]
    assert [(letter["sequence"], letter["size"]) for letter in listed] == [(n + 1, len(MAIL)) for n in range(absurd)]
    assert {letter["attempts"] for letter in listed} == {None, int("9" * 18)}
    for letter in listed:
        one = f"/v1/dead-letters/{letter['sequence']}"
        assert (await ask(harness, "GET", one))["message"]["email"] == "a@example.com"
        await (ask(harness, "POST", f"{one}/replay") if letter["sequence"] % 2 else ask(harness, "DELETE", one))
    assert await ask(harness, "GET", PAGE) == {"dead_letters": [], "next": None}
    assert (await harness.client.jetstream().stream_info("messages")).state.messages == (absurd + 1) // 2


async def test_pages_go_on_over_letters_that_were_removed(harness: ApiHarness, absurd: int) -> None:
    for gone in (1, 3, 4, absurd):
        await ask(harness, "DELETE", f"/v1/dead-letters/{gone}")
    seen: list[int] = []
    after: str | None = ""
    while after is not None:
        answer = await ask(harness, "GET", f"/v1/dead-letters?limit=3&after={after}")
        seen += [letter["sequence"] for letter in answer["dead_letters"]]
        after = answer["next"]
    assert seen == [number for number in range(1, absurd) if number not in {1, 3, 4}]
    assert (await ask(harness, "GET", "/v1/dead-letters?after=" + "9" * 18))["dead_letters"] == []


async def test_nothing_of_a_list_stays_on_the_server(harness: ApiHarness, absurd: int) -> None:
    for _ in range(3):
        await ask(harness, "GET", f"/v1/dead-letters?limit={absurd // 2}")
    assert await harness.client.jetstream().consumers_info("messages-dead") == []


LETTERS, SIZE = 50, 500_000
MOST = 200_000
"""Bytes that a list of them may take, with all that comes at a connection's begin."""


@pytest.fixture
async def counted(tmp_path: Path, server: NatsServer) -> AsyncIterator[CountingProxy]:
    """Its server holds many large letters."""
    async with RawPublisher(server.url) as raw, running(tmp_path / "setup", server.url, schedule=False):
        for number in range(LETTERS):
            headers = block(f"Email-Reason: {number} " + "r" * 900, f"Email-Reference: messages:{number}")
            await raw.publish(b"messages-dead.rejected", bytes(SIZE), headers)
    async with CountingProxy(server.url) as proxy:
        yield proxy


async def test_the_command_reads_no_payload_to_list_and_one_to_show(counted: CountingProxy) -> None:
    _, out, _ = await dlq(counted.url, "list", "--json")
    assert {json.loads(line)["bytes"] for line in out.splitlines()} == {SIZE}
    assert len(out.splitlines()) == LETTERS
    assert counted.received < MOST
    counted.received = 0
    code, out, _ = await dlq(counted.url, "show", "7")
    assert (code, f"bytes: {SIZE}" in out) == (0, True)
    assert SIZE < counted.received < 2 * SIZE
    counted.received = 0
    assert (await dlq(counted.url, "remove", "--all"))[0] == 0
    assert counted.received < MOST


async def test_the_api_and_the_page_read_no_payload_to_list_and_one_to_show(
    tmp_path: Path, counted: CountingProxy
) -> None:
    async with running(tmp_path, counted.url, schedule=False) as harness:
        for path, count in ((PAGE, 25), ("/v1/dead-letters", LETTERS), ("/v1/dead-letters?kind=rejected", LETTERS)):
            counted.received = 0
            letters = (await ask(harness, "GET", path))["dead_letters"]
            assert [letter["size"] for letter in letters] == [SIZE] * count
            assert counted.received < MOST
        counted.received = 0
        assert (await ask(harness, "GET", "/v1/dead-letters/7"))["size"] == SIZE
        assert SIZE < counted.received < 2 * SIZE


async def test_all_of_a_kind_are_replayed_or_removed_and_what_fails_is_named(
    harness: ApiHarness, server: NatsServer
) -> None:
    async with RawPublisher(server.url) as raw:
        for kind, count in (("rejected", 5), ("exhausted", 2), ("undecodable", 1)):
            for number in range(count):
                mail = b"no mail" if kind == "undecodable" else payload(uuid=f"{kind}-{number}")
                await raw.publish(f"messages-dead.{kind}".encode(), mail)
    replay, remove = "/v1/dead-letters/replay", "/v1/dead-letters/remove"
    for path in (f"{replay}?kinds=rejected", f"{remove}?knid=rejected"):  # ignored, it would mean all of them
        status, answer = await harness.ask("POST", path)
        assert (status, "is not a known field" in answer["error"]["message"]) == (422, True)
    assert await ask(harness, "POST", f"{replay}?kind=rejected") == {"done": 5, "failed": [], "next": None}
    assert await harness.in_stream() == 5
    rest = await ask(harness, "POST", replay)
    assert (rest["done"], [failure["sequence"] for failure in rest["failed"]], rest["next"]) == (2, [8], None)
    assert "not a valid message" in rest["failed"][0]["reason"]
    for kind in ("in-doubt", "in_doubt"):  # as states of mail are spelled
        async with RawPublisher(server.url) as raw:
            await raw.publish(b"messages-dead.in-doubt", payload(uuid=kind))
        assert [letter["kind"] for letter in (await ask(harness, "GET", f"{PAGE}&kind={kind}"))["dead_letters"]] == [
            "in-doubt"
        ]
        assert await ask(harness, "POST", f"{remove}?kind={kind}") == {"done": 1, "failed": [], "next": None}
    status, answer = await harness.ask("POST", f"{remove}?kind=lost")
    assert (status, "'in-doubt'" in answer["error"]["message"]) == (422, True)
    assert await ask(harness, "POST", f"{remove}?kind=conflict") == {"done": 0, "failed": [], "next": None}
    assert await ask(harness, "POST", remove) == {"done": 1, "failed": [], "next": None}
    assert (await ask(harness, "GET", PAGE))["dead_letters"] == []
