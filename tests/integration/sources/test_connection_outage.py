"""What happens to an existing connection: outages are bridged and logged once, an end for good is reported."""

import asyncio
import os
import selectors
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import FlushTimeoutError, NoRespondersError
from structlog.testing import capture_logs

from email_consumer.jetstream.connection import NatsEndpoint, TlsFiles, close, connect
from tests.servers.certificates import TestAuthority
from tests.servers.nats import NatsServer
from tests.waiting import PATIENCE


async def _outage(server: NatsServer, endpoint: NatsEndpoint) -> list[str]:
    """The events logged over one outage that several attempts to reconnect fell into."""
    with capture_logs() as lines:
        client = await connect(endpoint)
        subscription = await client.subscribe("after")
        errors = _errors(client)
        await server.kill()
        for _ in range(3):
            await errors.acquire()
        await server.restart()
        await client.publish("after", b"kept while the server was away")
        assert (await subscription.next_msg(20)).data == b"kept while the server was away"
        await client.close()
    return [line["event"] for line in lines if line["event"] != "nats.error"]


def _errors(client: Client) -> asyncio.Semaphore:
    """Released at each error that nats-py reports, each failed attempt to reconnect included."""
    seen = asyncio.Semaphore(0)
    original = client._error_cb

    async def report(error: Exception) -> None:
        await original(error)
        seen.release()

    client._error_cb = report
    return seen


async def test_an_outage_is_bridged_and_logged_once(tmp_path: Path) -> None:
    async with NatsServer(tmp_path) as server:
        events = await _outage(server, NatsEndpoint([server.url]))
    assert events == ["nats.connected", "nats.disconnected", "nats.reconnected"]


async def test_an_outage_is_bridged_under_tls(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    cert, key = authority.issue("server")
    async with NatsServer(tmp_path / "server", f'tls {{ cert_file: "{cert}", key_file: "{key}" }}') as server:
        events = await _outage(server, NatsEndpoint([server.url], tls=TlsFiles(authority.ca)))
    assert events == ["nats.connected", "nats.disconnected", "nats.reconnected"]


async def test_nothing_watches_the_file_of_a_connection_that_broke_while_it_was_written_to(tmp_path: Path) -> None:
    """Asyncio does, from Python 3.12 to 3.13.5: of the next file of that number, nothing was read."""
    async with NatsServer(tmp_path) as server:
        client = await connect(NatsEndpoint([server.url]))
        transport: Any = client._transport
        connection = transport._io_writer.get_extra_info("socket")
        number = connection.fileno()
        connection.shutdown(socket.SHUT_RDWR)
        for _ in range(2):  # the first finds it broken
            transport.writelines([b"PING\r\n"])
        selector: selectors.BaseSelector = vars(asyncio.get_running_loop())["_selector"]
        assert number not in selector.get_map()
        await close(client)


async def test_an_end_for_good_is_reported(tmp_path: Path) -> None:
    lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    async with NatsServer(tmp_path) as server:
        client = await connect(NatsEndpoint([server.url]), on_lost=lost.set_result)
        assert client._transport is not None
        client._transport.write(b"no such command\r\n")  # the server answers -ERR and hangs up
        assert "unknown protocol" in str(await asyncio.wait_for(lost, PATIENCE)).lower()
        assert client.is_closed


async def test_closing_it_ourselves_is_no_loss(tmp_path: Path) -> None:
    lost: list[Exception] = []
    async with NatsServer(tmp_path) as server:
        client = await connect(NatsEndpoint([server.url]), on_lost=lost.append)
        await client.close()
    assert lost == []


async def test_an_answer_to_a_flush_that_timed_out_ends_nothing(server: NatsServer) -> None:
    client = await connect(NatsEndpoint([server.url]))
    os.kill(server.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)  # noqa: ASYNC222 - at once
    try:
        with pytest.raises(FlushTimeoutError):
            await client.flush(timeout=1)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    before = client.stats["reconnects"]
    await client.request("$JS.API.INFO", timeout=4)  # its pings would need longer to find that nobody listens
    assert client.stats["reconnects"] == before == 0
    await close(client)


async def test_what_was_subscribed_and_unsubscribed_during_an_outage_is_not_delivered_for_ever(tmp_path: Path) -> None:
    async with NatsServer(tmp_path) as server:
        client = await connect(NatsEndpoint([server.url]))
        errors = _errors(client)
        await server.kill()
        await errors.acquire()
        subscription = await client.subscribe("over")
        await subscription.unsubscribe()
        await server.restart()
        await client.request("$JS.API.INFO", timeout=PATIENCE)  # a flush returns at once while it is reconnecting
        for _ in range(2):  # what is published and its delivery, then what that makes the client say
            await client.publish("over")
            await client.flush(PATIENCE)
        with pytest.raises(NoRespondersError):
            await client.request("over", timeout=5)
        await client.close()
