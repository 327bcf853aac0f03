"""With a proxy, as AWS's settings name it."""

import ssl

import pytest

from email_consumer.core.outcome import Held, InDoubt, Sent
from tests.factories import mail
from tests.integration.ses.misbehaviour import behave
from tests.integration.ses.sandbox import client
from tests.servers.raw_server import Connection, Script, raw_server

_NOWHERE = "127.0.0.1:1"


async def test_plain_http_goes_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(behave) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with client(f"http://{_NOWHERE}") as ses:
            assert await ses.send(mail()) == Sent("next")
            assert await ses.send(mail()) == Sent("next")
        assert proxy.connections == 1
        assert all(head.startswith(f"POST http://{_NOWHERE}/v2/".encode()) for head in proxy.requests)


async def test_tls_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch, server_tls: ssl.SSLContext) -> None:
    async with raw_server(behave, server_tls) as server:

        async def tunnel(connection: Connection) -> None:
            assert (await connection.request()).startswith(f"CONNECT {_NOWHERE} ".encode())
            await connection.answer(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await connection.forward(server.url)

        async with raw_server(tunnel) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with client(f"https://{_NOWHERE}") as ses:
                assert await ses.send(mail()) == Sent("next")
                assert await ses.send(mail()) == Sent("next")
            assert (proxy.connections, len(proxy.requests), len(server.requests)) == (1, 1, 2)


async def test_a_proxy_that_refuses_holds_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(connection: Connection) -> None:
        await connection.request()
        await connection.answer(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client(f"https://{_NOWHERE}") as ses:
            assert isinstance(await ses.send(mail()), Held)


async def close(connection: Connection) -> None:
    await connection.request()


async def reset(connection: Connection) -> None:
    await connection.request()
    connection.reset()


async def say_nonsense(connection: Connection) -> None:
    await connection.request()
    await connection.answer(b"nonsense\r\n\r\n")


@pytest.mark.parametrize("script", [close, reset, say_nonsense])
async def test_a_proxy_that_opens_no_tunnel_holds_the_mail(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client(f"https://{_NOWHERE}") as ses:
            assert isinstance(await ses.send(mail()), Held)


async def test_a_tunnel_that_breaks_under_a_request_leaves_the_mail_in_doubt(
    monkeypatch: pytest.MonkeyPatch, server_tls: ssl.SSLContext
) -> None:
    async with raw_server(reset, server_tls) as server:

        async def tunnel(connection: Connection) -> None:
            await connection.request()
            await connection.answer(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await connection.forward(server.url)

        async with raw_server(tunnel) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with client(f"https://{_NOWHERE}") as ses:
                assert isinstance(await ses.send(mail()), InDoubt)


async def test_no_proxy_where_it_is_not_to_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{_NOWHERE}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with raw_server(behave) as server, client(server.url) as ses:
        assert await ses.send(mail()) == Sent("next")
