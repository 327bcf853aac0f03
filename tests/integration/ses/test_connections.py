"""How connections are opened, kept and shared."""

import asyncio
import gc
import math
import os
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from email_consumer.core.outcome import Sent
from email_consumer.ses import connection as ses_connection
from email_consumer.ses import connections
from email_consumer.ses.connector import Connector
from email_consumer.ses.direct_transport import DirectTransport
from email_consumer.ses.transport import Answer, Headers, NotWrittenError
from tests.factories import mail
from tests.integration.ses.misbehaviour import NEXT, behave, say_no_more
from tests.integration.ses.sandbox import client
from tests.servers.raw_server import Connection, RawServer, Script, raw_server, url_of
from tests.waiting import patience, turns_of_the_loop, until

FAR = 1000.0
"""Seconds."""


@asynccontextmanager
async def opened(script: Script, limit: int = 4) -> AsyncIterator[tuple[RawServer, DirectTransport]]:
    async with raw_server(script) as server:
        transport = DirectTransport(
            server.url + "/path", connections=limit, connect_timeout=FAR, tls=ssl.create_default_context()
        )
        yield server, transport
        await transport.close()


async def post(transport: DirectTransport, body: bytes = b"{}", within: float = FAR) -> Answer:
    return await transport.post(
        body, Headers({"Host": "ses"}, ""), asyncio.get_running_loop().time() + within, math.inf
    )


async def test_an_idle_connection_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_KEEPALIVE", 0.1)
    async with opened(behave) as (server, transport), patience():
        for number in (1, 2):
            server.closed.clear()
            await post(transport)
            await server.closed.wait()
            assert server.connections == number


async def test_a_connection_that_is_not_used_again_is_closed() -> None:
    async def leave_open(connection: Connection) -> None:
        await connection.request()
        await connection.answer(NEXT.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        await say_no_more(connection)

    async with opened(leave_open) as (server, transport), patience():
        await post(transport)
        await server.closed.wait()


async def test_an_idle_connection_is_not_used_once_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor if the process was stopped meanwhile, so that no timer has closed it."""
    async with opened(behave) as (server, transport):
        await post(transport)
        monkeypatch.setattr(connections, "_KEEPALIVE", 0.0)
        await post(transport)
        assert server.connections == 2


@pytest.mark.parametrize("action", [socket.socket.close, lambda peer: peer.send(b"HTTP/1.1 408 Request Timeout\r\n")])
async def test_what_comes_on_an_idle_connection_is_known_before_the_event_loop_reads_it(
    action: Callable[[socket.socket], object],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = await Connector(url_of(listener, "http"), ssl.create_default_context()).connect(set())
        with listener.accept()[0] as peer:
            assert connection.is_usable()
            action(peer)
            assert not connection.is_usable()
        connection.abort()
        await connection.lost.wait()


async def test_a_lost_connection_leaves_nothing_for_the_garbage_collector() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = await Connector(url_of(listener, "http"), ssl.create_default_context()).connect(set())
        reader = weakref.ref(connection._reader)
        gc.disable()
        try:
            connection.abort()
            await connection.lost.wait()
            await turns_of_the_loop()
            del connection
            assert reader() is None
        finally:
            gc.enable()


async def test_tls_connections_are_opened_a_few_at_a_time(server_tls: ssl.SSLContext) -> None:
    most = connections._OPENED_TOGETHER
    go_on = asyncio.Event()
    async with raw_server(behave, server_tls) as tls_server:

        async def waiting(connection: Connection) -> None:
            await go_on.wait()
            await connection.forward(tls_server.url)

        mails = 3 * most
        async with (
            raw_server(waiting) as server,
            client(server.url.replace("http:", "https:"), concurrency=mails, connect_timeout=FAR, timeout=FAR) as ses,
        ):
            sends = [asyncio.create_task(ses.send(mail(str(number)))) for number in range(mails)]
            await until(lambda: server.connections >= most)
            await turns_of_the_loop()
            assert server.connections == most
            go_on.set()
            assert await asyncio.gather(*sends) == [Sent("next")] * mails


async def test_a_request_that_waits_takes_a_connection_that_becomes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not insist on one of its own."""
    monkeypatch.setattr(connections, "_OPENED_TOGETHER", 1)
    async with opened(behave, limit=20) as (server, transport):
        await asyncio.gather(*(post(transport) for _ in range(20)))
        assert server.connections < 20


async def test_a_request_is_not_written_after_its_time() -> None:
    async with opened(behave) as (server, transport):
        await post(transport)
        with pytest.raises(NotWrittenError):
            await post(transport, within=-1)
        await post(transport)
        assert len(server.requests) == 2


async def test_a_request_cancelled_while_it_waits_takes_no_place() -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def late(connection: Connection) -> None:
        while True:
            await connection.request()
            arrived.set()
            await release.wait()
            await connection.answer(NEXT)

    async with opened(late, limit=1) as (server, transport):
        first, second = (asyncio.create_task(post(transport)) for _ in range(2))
        await arrived.wait()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        release.set()
        await first
        await post(transport)
        assert len(server.requests) == 2


async def test_a_request_cancelled_as_its_connection_opens_leaves_nothing_to_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = ses_connection.Connection.connection_made

    def cancelling(connection: ses_connection.Connection, transport: asyncio.BaseTransport) -> None:
        made(connection, transport)
        request.cancel()

    async with patience(), opened(behave, limit=1) as (_, transport):
        with monkeypatch.context() as patch:
            patch.setattr(ses_connection.Connection, "connection_made", cancelling)
            request = asyncio.create_task(post(transport))
            with pytest.raises(asyncio.CancelledError):
                await request
        await post(transport)


async def test_closing_ends_what_is_in_flight() -> None:
    async with opened(say_no_more) as (server, transport):
        request = asyncio.create_task(post(transport))
        await until(lambda: server.connections)
        await transport.close()
        with pytest.raises(Exception, match="closed"):
            await request
        with pytest.raises(NotWrittenError, match="closed"):
            await post(transport)


async def test_a_large_body_arrives_as_it_is() -> None:
    body, received = os.urandom(3_000_000), asyncio.get_running_loop().create_future()

    async def receiving(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        received.set_result(await connection.reader.readexactly(len(body)))
        await connection.answer(NEXT)
        await behave(connection)

    async with opened(receiving) as (server, transport):
        await post(transport, body)
        assert await received == body
        await post(transport)
        assert server.connections == 1
