import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from botocore.credentials import ReadOnlyCredentials

from email_consumer.core.outcome import Held, InDoubt, Sent
from tests.factories import mail
from tests.integration.ses.sandbox import SOON, client
from tests.servers.answers import ENCODED, STRANGE
from tests.servers.certificates import TestAuthority
from tests.servers.raw_server import Connection, Script, raw_server
from tests.waiting import turns_of_the_loop

pytestmark = pytest.mark.usefixtures("transport")


async def answer_all(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.answer()


async def test_one_connection_serves_many_sends() -> None:
    async with raw_server(answer_all) as server, client(server.url) as ses:
        assert [await ses.send(mail(str(number))) for number in range(5)] == [Sent("42")] * 5
        assert (server.connections, len(server.requests)) == (1, 5)


async def test_no_more_connections_than_the_concurrency() -> None:
    async with raw_server(answer_all) as server, client(server.url, concurrency=3) as ses:
        results = await asyncio.gather(*(ses.send(mail(str(number))) for number in range(30)))
        assert results == [Sent("42")] * 30
        assert server.connections == 3


async def test_a_kept_connection_that_breaks_under_a_request_is_no_reason_to_send_again() -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.answer()
        await connection.request()
        connection.reset()

    async with raw_server(once) as server, client(server.url) as ses:
        assert await ses.send(mail("first")) == Sent("42")
        assert isinstance(await ses.send(mail("second")), InDoubt)
        assert len(server.requests) == 2
        assert await ses.send(mail("third")) == Sent("42")
        assert server.connections == 2


async def test_a_connection_closed_while_idle_is_not_used_again() -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.answer()

    async with raw_server(once) as server, client(server.url) as ses:
        for number in range(3):
            server.closed.clear()
            assert await ses.send(mail(str(number))) == Sent("42")
            await server.closed.wait()
            await turns_of_the_loop()
        assert len(server.requests) == 3


async def test_what_never_left_holds_the_queue() -> None:
    async with raw_server(answer_all) as server:
        free = server.url
    for endpoint in (free, "http://name.invalid"):
        async with client(endpoint) as ses:
            assert isinstance(await ses.send(mail()), Held)


async def test_waiting_in_vain_for_a_free_connection_holds_the_queue() -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def late(connection: Connection) -> None:
        await connection.request()
        arrived.set()
        await release.wait()
        await connection.answer()

    async with raw_server(late) as server, client(server.url, concurrency=1, connect_timeout=0.2) as ses:
        first = asyncio.create_task(ses.send(mail("first")))
        await arrived.wait()
        second = await ses.send(mail("second"))
        assert isinstance(second, Held)
        release.set()
        assert await first == Sent("42")
        assert len(server.requests) == 1


def answering(response: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.answer(response)

    return script


@pytest.mark.parametrize("name", STRANGE)
async def test_what_is_no_answer_of_ses_leaves_the_mail_in_doubt(name: str) -> None:
    async with raw_server(answering(STRANGE[name])) as server, client(server.url) as ses:
        assert isinstance(await ses.send(mail()), InDoubt)
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ENCODED)
async def test_an_encoding_that_was_not_asked_for_is_undone(name: str) -> None:
    async with raw_server(answering(ENCODED[name])) as server, client(server.url) as ses:
        assert await ses.send(mail()) == Sent("42")


@pytest.mark.parametrize(
    ("begun", "on_and_on"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" "),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    ids=["head", "body", "hints"],
)
async def test_an_answer_that_goes_on_and_on_does_not_hold_its_slot(begun: bytes, on_and_on: bytes) -> None:
    async def trickle(connection: Connection) -> None:
        await connection.request()
        await connection.answer(begun)
        while True:
            await connection.answer(on_and_on)
            await asyncio.sleep(0.02)

    async with raw_server(trickle) as server, client(server.url, timeout=SOON) as ses:
        assert isinstance(await ses.send(mail()), InDoubt)
        await server.closed.wait()


async def test_credentials_that_never_come_do_not_hold_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    never: Callable[[], Awaitable[ReadOnlyCredentials]] = asyncio.get_running_loop().create_future

    async with raw_server(answer_all) as server, client(server.url, timeout=0.3) as ses:
        monkeypatch.setattr(ses, "_credentials", never)
        assert isinstance(await ses.send(mail()), Held)
        assert server.connections == 0


async def test_a_server_that_reads_nothing_does_not_block_for_ever() -> None:
    done = asyncio.Event()

    async def deaf(_connection: Connection) -> None:
        await done.wait()

    # A busy machine needs seconds to encode, sign and connect; half of the time-out is for connecting.
    async with raw_server(deaf) as server, client(server.url, timeout=3 * SOON) as ses:
        large = mail(attachments=[{"filename": "a.bin", "content": bytes(20_000_000)}])
        assert isinstance(await ses.send(large), InDoubt)
        done.set()


async def test_tls_trusts_the_bundle_of_aws_ca_bundle_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = TestAuthority(tmp_path)
    certificate, key = authority.issue("ses")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with raw_server(answer_all, tls) as server:
        async with client(server.url) as ses:
            refused = await ses.send(mail())
        assert isinstance(refused, Held)
        assert "certificate" in refused.reason.lower()
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.ca))
        async with client(server.url) as ses:
            assert await ses.send(mail()) == Sent("42")


async def test_the_request_carries_one_fixed_user_agent_and_no_needless_headers() -> None:
    async with raw_server(answer_all) as server, client(server.url) as ses:
        await ses.send(mail())
        [head] = server.requests
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line]
    assert b"\r\naccept-encoding: identity\r\n" in head.lower()
    expected = [
        b"accept-encoding",
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"user-agent",
        b"x-amz-date",
    ]
    assert sorted(names) == expected
