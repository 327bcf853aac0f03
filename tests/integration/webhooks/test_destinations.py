"""No URL leads a webhook into our own network, however it is written and whatever its name means at the moment."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.integration.webhooks.harness import receiver, webhooks

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.2",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104
    "0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "⑫⑦.0.0.1",
    "127。0。0。1",
    "\uff11\uff12\uff17.0.0.1",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "0xa9fea9fe",
    "2852039166",
    "100.64.0.1",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[2001:db8::1]",
]


@asynccontextmanager
async def counting_server() -> AsyncIterator[tuple[int, list[object]]]:
    """On all loopback addresses; each connection is noted."""
    connections: list[object] = []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(accept, "0.0.0.0", 0)  # noqa: S104 - that is the test
    port = server.sockets[0].getsockname()[1]
    six = await asyncio.start_server(accept, "::1", port) if socket.has_ipv6 else server
    async with server, six:
        yield port, connections


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE])
async def test_nothing_private_is_connected_to(path: Path, host: str) -> None:
    async with counting_server() as (port, connections), webhooks(path, allow_private=False) as site:
        try:
            endpoint = await site.add(f"https://{host}:{port}/hook")
        except ValueError:
            pass
        else:
            answer = await site.sender.send(endpoint, "evt_1", "{}")
            assert answer.error
        assert connections == []


@pytest.mark.parametrize(
    "url", ["http://example.com/", "ftp://example.com/", "https://", "https://a:b@example.com/", "//x", "https://x/#a"]
)
async def test_what_is_no_url_of_an_endpoint(path: Path, url: str) -> None:
    async with webhooks(path, allow_private=False) as site:
        with pytest.raises(ValueError, match="url: "):
            await site.add(url)


async def test_a_name_that_means_another_address_when_it_is_connected_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async with counting_server() as (port, connections), webhooks(path, allow_private=False) as site:
        endpoint = await site.add(f"https://rebind.example.com:{port}/")

        def look_up(host: str, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr("socket.getaddrinfo", look_up)
        answer = await site.sender.send(endpoint, "evt_1", "{}")
        assert "private, local or reserved" in answer.error
        assert (asked, connections) == (["rebind.example.com"], [])


async def test_a_redirect_is_not_followed(path: Path) -> None:
    async with receiver() as inside:

        async def redirect(_request: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(inside.url)

        async with receiver(redirect) as outside, webhooks(path) as site:
            endpoint = await site.add(outside.url)
            answer = await site.sender.send(endpoint, "evt_1", "{}")
    assert answer.error.startswith("307")
    assert inside.received == []
