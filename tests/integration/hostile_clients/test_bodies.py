"""Bodies are read within a time and a size, and together hold no more than there is budget for."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.hostile_clients.harness import ANONYMOUS_BODY, KEY, request, run_harness
from tests.waiting import patience

CHUNKED = "Transfer-Encoding: chunked"


def chunk(size: int) -> bytes:
    return f"{size:x}\r\n".encode() + bytes(size) + b"\r\n"


async def test_a_body_of_the_right_size_is_taken_however_it_is_framed() -> None:
    async with run_harness() as harness:
        assert await harness.post(bytes(ANONYMOUS_BODY)) == 200
        socket = await harness.connect(request("POST", "/post", CHUNKED) + chunk(ANONYMOUS_BODY) + b"0\r\n\r\n")
        assert await socket.status() == 200
        assert harness.bodies.anonymous.used == 0


@pytest.mark.parametrize("path", ["/post", "/known"])
async def test_chunks_without_end_are_refused_at_the_limit(path: str) -> None:
    async with run_harness() as harness:
        socket = await harness.connect(request("POST", path, CHUNKED, f"X-API-KEY: {KEY}"))
        sending = asyncio.create_task(_send_for_ever(socket))
        assert await socket.status() == 413
        sending.cancel()
        assert harness.bodies.anonymous.used == harness.bodies.authenticated.used == 0


async def _send_for_ever(socket: Any) -> None:
    while True:
        await socket.send(chunk(2**14))


async def test_a_length_beyond_the_limit_is_refused_before_anything_is_read() -> None:
    async with run_harness() as harness:
        socket = await harness.connect(request("POST", "/post", f"Content-Length: {ANONYMOUS_BODY + 1}"))
        assert await socket.status() == 413


@pytest.mark.parametrize("framing", [CHUNKED, "Content-Length: 60000"])
async def test_a_slow_body_has_a_total_time(framing: str) -> None:
    async with run_harness() as harness:
        harness.bodies.anonymous.seconds = 0.2
        socket = await harness.connect(request("POST", "/post", framing))
        dripping = asyncio.create_task(_drip(socket))
        async with patience():
            assert await socket.status() == 408
        dripping.cancel()


async def _drip(socket: Any) -> None:
    while True:
        await socket.send(b"1\r\n-\r\n")
        await asyncio.sleep(0.01)


async def test_bodies_that_never_end_hold_no_more_than_there_is_room_for_and_keep_nobody_out() -> None:
    """Each sends all but its last byte, and waits."""
    async with run_harness(most=1_000) as harness:
        harness.bodies.anonymous.max_bytes = 10 * ANONYMOUS_BODY
        length = f"Content-Length: {ANONYMOUS_BODY}"
        for _ in range(60):
            await harness.connect(request("POST", "/post", length) + bytes(ANONYMOUS_BODY - 1))
            assert harness.bodies.anonymous.used <= 10 * ANONYMOUS_BODY
        for _ in range(20):
            assert await harness.post(bytes(ANONYMOUS_BODY // 2)) == 200
            assert harness.bodies.anonymous.used <= 10 * ANONYMOUS_BODY


async def test_many_bodies_of_nothing_keep_nobody_out() -> None:
    async with run_harness(most=1_000) as harness:
        harness.bodies.anonymous.max_uploads = 10
        waiting = [await harness.connect(request("POST", "/post", "Content-Length: 5")) for _ in range(40)]
        assert [await harness.post(b"abc") for _ in range(10)] == [200] * 10
        assert len(harness.bodies.anonymous.uploads) <= 10
        async with patience():
            await waiting[0].closed()  # the oldest


async def test_requests_with_a_key_have_a_separate_budget_and_get_503_beyond_it() -> None:
    async with run_harness() as harness:
        harness.bodies.authenticated.max_bytes = 1_000
        headers = (f"X-API-KEY: {KEY}", "Content-Length: 1000")
        holding = await harness.connect(request("POST", "/known", *headers) + bytes(999))
        await harness.until(lambda: harness.bodies.authenticated.used == 999)
        socket = await harness.connect(request("POST", "/known", *headers) + bytes(1_000))
        assert await socket.status() == 503
        await holding.send(b"-")
        assert await holding.status() == 200
        socket = await harness.connect(request("POST", "/known", *headers) + bytes(1_000))
        assert await socket.status() == 200
        assert harness.bodies.authenticated.used == 0


BROKEN = {
    "chunk size": (CHUNKED, b"zz\r\nabc\r\n"),
    "chunk size beyond 64 bits": (CHUNKED, b"fffffffffffffffff\r\nabc"),
    "negative chunk size": (CHUNKED, b"-1\r\nabc\r\n"),
    "chunk without its end": (CHUNKED, b"3\r\nabcdef\r\n"),
    "control characters": (CHUNKED, b"\x00\x01\x02\x03\r\n"),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_body_that_is_badly_framed_is_the_callers_error(broken: str) -> None:
    framing, body = BROKEN[broken]
    async with run_harness() as harness:
        with capture_logs() as log:
            socket = await harness.connect(request("POST", "/post", framing) + body)
            assert await socket.status() == 400
        assert log == []


@pytest.mark.parametrize("how", ["abort", "half"])
@pytest.mark.parametrize("framing", [CHUNKED, "Content-Length: 100"])
@pytest.mark.parametrize("path", ["/post", "/known"])
async def test_a_client_that_disconnects_causes_no_internal_error(path: str, framing: str, how: str) -> None:
    async with run_harness() as harness:
        with capture_logs() as log:
            socket = await harness.connect(request("POST", path, framing, f"X-API-KEY: {KEY}") + b"1\r\na\r\n")
            budget = harness.bodies.anonymous if path == "/post" else harness.bodies.authenticated
            await harness.until(lambda: budget.used > 0)
            if how == "abort":
                socket.close()
            else:
                socket.writer.write_eof()
            async with patience():
                await harness.until(lambda: not budget.used)
        assert log == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x", "\xff"])
async def test_what_is_packed_is_refused_unopened(encoding: str) -> None:
    async with run_harness() as harness:
        bomb = b"\x1f\x8b\x08" + bytes(1_000)
        head = request("POST", "/post", f"Content-Length: {len(bomb)}")
        head = head[:-2] + b"Content-Encoding: " + encoding.encode("latin-1") + b"\r\n\r\n"
        socket = await harness.connect(head + bomb)
        assert await socket.status() == 415
