"""Whatever a server does with a connection, the mail's outcome is true and the next mail is sent as if nothing had been."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from random import Random

import pytest

from email_consumer.core.outcome import Held, InDoubt, Interrupted, SendResult, Sent
from tests.factories import mail
from tests.integration.ses.misbehaviour import (
    FAILED_HANDSHAKES,
    IN_CHUNKS,
    MISBEHAVIOURS,
    NEXT,
    SES,
    behave,
    say_no_more,
)
from tests.integration.ses.sandbox import client
from tests.servers.answers import FRAGMENTS
from tests.servers.raw_server import Connection, Script, raw_server, url_of
from tests.waiting import patience, turns_of_the_loop

pytestmark = pytest.mark.usefixtures("transport")

_SHORT = 0.5
"""Seconds for an answer that does not come."""
_LARGE = [{"filename": "a.bin", "content": bytes(5_000_000)}]


def first_connection(script: Script, *, after_one_mail: bool = False) -> Script:
    """It goes by the script; all others behave."""

    async def each(connection: Connection) -> None:
        if connection.server.connections > 1:
            await behave(connection)
        if after_one_mail:
            await connection.request()
            await connection.answer(NEXT)
        await script(connection)

    return each


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_the_outcome_is_true_and_the_next_mail_is_sent(
    name: str, transport: str, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = MISBEHAVIOURS[name]
    expected = (transport == "aiohttp" and row.aiohttp) or row.outcomes
    script = first_connection(row.script, after_one_mail=row.slow)
    async with raw_server(script, server_tls if row.tls else None) as server, client(server.url) as ses:
        with monkeypatch.context() as patch:
            if row.slow:
                assert await ses.send(mail("before")) == Sent("next")
                patch.setattr(ses, "_timeout", _SHORT)
            outcome = await ses.send(mail("first", attachments=_LARGE) if row.large else mail("first"))
        assert isinstance(outcome, expected), outcome
        assert outcome == Sent("42") or not isinstance(outcome, Sent)
        async with patience():
            await server.settled.wait()
        await turns_of_the_loop()
        assert await ses.send(mail("next")) == Sent("next")
        assert len(server.requests) <= 2 + row.slow


@pytest.mark.parametrize("ending", [Connection.reset, None], ids=["reset", "closed"])
@pytest.mark.parametrize("answer", [SES, IN_CHUNKS], ids=["length", "chunks"])
async def test_an_answer_cut_at_any_byte_is_none(answer: bytes, ending: Callable[[Connection], None] | None) -> None:
    lengths = iter(range(len(answer) + 1))

    async def cut(connection: Connection) -> None:
        await connection.request()
        await connection.answer(answer[: next(lengths)])
        if ending is not None:
            ending(connection)

    async with raw_server(cut) as server, client(server.url) as ses:
        for length in range(len(answer)):
            assert isinstance(await ses.send(mail()), InDoubt), answer[:length]
            assert len(server.requests) == length + 1
        assert ending or await ses.send(mail()) == Sent("42")


async def test_any_bytes_in_place_of_an_answer() -> None:
    random = Random(0)
    stream = b""

    async def one_answer(connection: Connection) -> None:
        await connection.request()
        await connection.answer(stream)

    async with raw_server(one_answer) as server, client(server.url) as ses:

        async def outcome() -> SendResult | Interrupted:
            """Of a mail, and of its connection: its end has been seen."""
            server.closed.clear()
            result = await ses.send(mail())
            async with patience():
                await server.closed.wait()
            await turns_of_the_loop()
            return result

        for _ in range(200):
            stream = b"".join(random.choices(FRAGMENTS, k=random.randint(1, 6)))
            result = await outcome()
            assert result == Sent("42") or isinstance(result, InDoubt), stream
            stream = NEXT
            assert await outcome() == Sent("next")


@pytest.mark.parametrize("name", FAILED_HANDSHAKES)
async def test_a_mail_is_held_where_the_tls_handshake_fails(name: str, server_tls: ssl.SSLContext) -> None:
    async with raw_server(behave, server_tls) as good:

        async def each(connection: Connection) -> None:
            if connection.server.connections == 1:
                await FAILED_HANDSHAKES[name](connection)
            else:
                await connection.forward(good.url)

        async with raw_server(each) as server, client(server.url.replace("http:", "https:")) as ses:
            assert isinstance(await ses.send(mail()), Held)
            assert await ses.send(mail("next")) == Sent("next")


async def test_a_tls_handshake_that_never_ends_holds_the_mail() -> None:
    async with (
        raw_server(say_no_more) as server,
        client(server.url.replace("http:", "https:"), connect_timeout=_SHORT) as ses,
    ):
        assert isinstance(await ses.send(mail()), Held)


async def test_a_server_that_listens_too_late() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with client(url_of(bound, "http"), concurrency=1) as ses:
            assert isinstance(await ses.send(mail()), Held)
            assert isinstance(await ses.send(mail()), Held)
            async with raw_server(behave, bound=bound):
                assert await ses.send(mail("next")) == Sent("next")


async def test_what_comes_before_the_next_request_is_no_answer_to_it() -> None:
    """Nor does it have to be read before: the kernel knows."""
    send_more, sent = asyncio.Event(), asyncio.Event()

    async def twice(connection: Connection) -> None:
        await connection.request()
        await connection.answer(SES)
        await send_more.wait()
        await connection.answer(SES)
        sent.set()
        await behave(connection)

    async with raw_server(first_connection(twice)) as server, client(server.url) as ses:
        assert await ses.send(mail("first")) == Sent("42")
        send_more.set()
        await sent.wait()
        await turns_of_the_loop()
        assert await ses.send(mail("next")) == Sent("next")
        assert server.connections == 2


async def test_a_mail_that_is_cancelled_leaves_no_answer_behind() -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def late(connection: Connection) -> None:
        await connection.request()
        arrived.set()
        await release.wait()
        await connection.answer(SES)
        await behave(connection)

    async with raw_server(first_connection(late)) as server, client(server.url, concurrency=1) as ses:
        first = asyncio.create_task(ses.send(mail("first")))
        await arrived.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        release.set()
        assert await ses.send(mail("next")) == Sent("next")
        async with patience():
            await server.closed.wait()  # the first connection: nobody waits for its answer


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
async def test_an_address_of_either_family(host: str) -> None:
    bound = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    async with raw_server(behave, bound=bound) as server, client(server.url) as ses:
        assert await ses.send(mail()) == Sent("next")
        assert f"\r\nhost: {server.url.removeprefix('http://')}\r\n".encode() in server.requests[0].lower()


async def test_a_certificate_for_another_name_holds_the_mail(server_tls: ssl.SSLContext) -> None:
    async with raw_server(behave, server_tls) as server:
        async with client(server.url.replace("127.0.0.1", "localhost")) as ses:
            refused = await ses.send(mail())
        assert isinstance(refused, Held)
        assert "certificate" in refused.reason.lower()
        async with client(server.url) as ses:
            assert await ses.send(mail()) == Sent("next")


async def test_a_header_with_a_line_break_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token\r\nX-Other: header")
    async with raw_server(behave) as server, client(server.url) as ses:
        assert isinstance(await ses.send(mail()), Held)
        assert server.requests == []
