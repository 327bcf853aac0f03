"""The application and its server: keys, faults, what is no HTTP."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from email_consumer.web.app import create_app
from email_consumer.web.routing import operation
from email_consumer.web.server import Server


@operation("Open", open_to_all=True)
async def greet(_request: web.Request) -> web.Response:
    return web.json_response({})


async def forgotten(_request: web.Request) -> web.Response:
    """It says nothing of itself, so it needs a key."""
    return web.json_response({})


@operation("Broken")
async def broken(_request: web.Request) -> web.Response:
    raise KeyError("something private")


ROUTES = [web.get("/open", greet), web.get("/forgotten", forgotten), web.get("/broken", broken)]


async def status(server: Server, path: str, key: str = "") -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.request("GET", url, headers={"X-API-KEY": key}) as response:
        return response.status, await response.text()


async def test_without_keys_only_open_routes_answer() -> None:
    async with Server(create_app(ROUTES, [], version="1"), 0) as server:
        with capture_logs() as log:
            assert (await status(server, "/open"))[0] == 200
            assert [(await status(server, "/forgotten", key))[0] for key in ("", "x")] == [401, 401]
    assert {line["event"] for line in log} == {"api.no_key_set", "api.wrong_key"}


async def test_an_internal_error_is_explained_in_the_log_only() -> None:
    async with Server(create_app(ROUTES, ["k"], version="1"), 0) as server:
        with capture_logs() as log:
            code, body = await status(server, "/broken", "k")
    assert (code, "private" in body) == (500, False)
    assert [(line["event"], line["path"]) for line in log] == [("api.crashed", "/broken")]


async def test_what_is_no_http_is_refused_without_filling_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with Server(create_app(ROUTES, [], version="1"), 0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /open HTTP/1.1\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 400")
        writer.close()
        await writer.wait_closed()
    assert caplog.records == []


async def test_what_fails_outside_of_our_checks_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    app = web.Application()
    app.add_routes([web.get("/", broken)])
    async with Server(app, 0) as server:
        code, body = await status(server, "/")
    assert (code, "private" in body, "internal" in body) == (500, False, True)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_a_server_may_be_stopped_before_it_started_and_twice() -> None:
    server = Server(create_app(ROUTES, [], version="1"), 0)
    await server.stop()
    await server.start()
    await server.stop()
    await server.stop()


@operation("Export", open_to_all=True)
async def cut_off(request: web.Request) -> web.StreamResponse:
    """The client leaves while it is answered."""
    response = web.StreamResponse()
    await response.prepare(request)
    assert request.transport
    request.transport.close()
    await response.write(b"more")
    return response


async def test_a_client_that_leaves_midway_is_no_error_of_ours() -> None:
    async with Server(create_app([web.get("/export", cut_off)], [], version="1"), 0) as server:
        with capture_logs() as log, pytest.raises(aiohttp.ClientError):
            await status(server, "/export")
    assert [line["event"] for line in log] == []
