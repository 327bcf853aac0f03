"""What strangers can do with connections is bounded, and does not keep others out."""

import gc
import weakref

import pytest

from tests.integration.hostile_clients.harness import KEY, request, run_harness
from tests.waiting import patience


async def test_idle_connections_give_way_to_requests() -> None:
    async with run_harness(most=5) as harness:
        idle = [await harness.connect() for _ in range(40)]
        assert [await harness.get() for _ in range(10)] == [200] * 10
        assert len(harness.connections) <= 5
        async with patience():
            for socket in idle[:30]:
                await socket.closed()
        assert harness.metrics.connections_evicted >= 35


async def test_the_one_that_has_waited_longest_goes_first() -> None:
    async with run_harness(most=3) as harness:
        first, second, third = [await harness.connect() for _ in range(3)]
        await first.send(request("GET", "/open"))
        assert await first.status() == 200  # and so it waits since then only
        assert await harness.get() == 200
        await second.closed()
        for socket in (first, third):
            await socket.send(request("GET", "/open"))
            assert await socket.status() == 200


async def test_requests_in_progress_are_not_cut_off_for_new_ones() -> None:
    async with run_harness(most=3) as harness:
        waiting = [await harness.connect(request("GET", "/wait")) for _ in range(3)]
        await harness.until(lambda: sum(each._handling for each in harness.connections._open) == 3)
        assert await harness.get() == 0
        harness.go_on.set()
        assert [await socket.status() for socket in waiting] == [200] * 3
        assert await harness.get() == 200


async def test_a_head_that_does_not_come_to_its_end_is_cut_off() -> None:
    async with run_harness(head=0.2) as harness:
        silent = await harness.connect()
        slow = await harness.connect(b"GET /open HTT")
        after_one = await harness.connect(request("GET", "/open"))
        assert await after_one.status() == 200
        await after_one.send(b"G")
        async with patience():
            for socket in (silent, slow, after_one):
                await socket.closed()
        assert harness.metrics.connections_evicted == 3


async def test_a_connection_may_be_idle_for_longer_than_a_head_may_take() -> None:
    async with run_harness(head=0.2) as harness:
        kept = await harness.connect(request("GET", "/open"))
        assert await kept.status() == 200
        await (await harness.connect()).closed()
        await kept.send(request("GET", "/open"))
        assert await kept.status() == 200


async def test_but_not_for_ever() -> None:
    async with run_harness(idle=0.2) as harness:
        kept = await harness.connect(request("GET", "/open"))
        assert await kept.status() == 200
        async with patience():
            await kept.closed()


@pytest.mark.parametrize("line", [b"X-A: b\r\n", b"X-Long: " + b"a" * 8_000 + b"\r\n", b"a:\r\n"])
async def test_a_head_without_end_is_cut_off(line: bytes) -> None:
    async with run_harness() as harness:
        socket = await harness.connect(b"GET /open HTTP/1.1\r\n")
        sent = 0
        try:
            async with patience():
                while not socket.reader.at_eof():
                    await socket.send(line)
                    sent += len(line)
        except ConnectionError:
            pass
        assert await harness.get() == 200
        assert sent < 2**23  # what the kernel holds for both sides, and not much more


async def test_requests_that_come_before_the_answer_are_answered_in_turn_and_few_are_read_ahead() -> None:
    async with run_harness() as harness:
        waiting = await harness.connect(
            request("GET", "/wait") + b"".join(request("GET", f"/open?{n}") for n in range(500))
        )
        assert await harness.get("/open?other") == 200
        (connection,) = [each for each in harness.connections._open if each._handling]
        assert len(connection._handler._messages) <= 2
        harness.go_on.set()
        assert [await waiting.status() for _ in range(501)] == [200] * 501
        assert harness.answered == ["other", *map(str, range(500))]


async def test_a_client_that_does_not_read_the_response_is_cut_off() -> None:
    async with run_harness(writing=0.2) as harness:
        socket = await harness.connect(request("GET", "/large"))
        async with patience():
            await harness.until(lambda: harness.metrics.connections_evicted > 0)
        await socket.closed()


async def test_a_key_is_asked_for_before_the_body_is_read() -> None:
    async with run_harness() as harness:
        for headers in ((), ("X-API-KEY: wrong",), ("Authorization: Bearer wrong",)):
            socket = await harness.connect(request("POST", "/known", "Transfer-Encoding: chunked", *headers))
            assert await socket.status() == 401
        socket = await harness.connect(request("POST", "/known", "Content-Length: 3", f"X-API-KEY: {KEY}") + b"abc")
        assert await socket.status() == 200


async def test_what_is_sent_after_the_answer_is_not_read_for_ever() -> None:
    async with run_harness(rest=0.5) as harness:
        socket = await harness.connect(request("POST", "/known", "Transfer-Encoding: chunked"))
        assert await socket.status() == 401
        chunk = b"10000\r\n" + bytes(2**16) + b"\r\n"
        try:
            async with patience():
                while not socket.reader.at_eof():
                    await socket.send(chunk)
        except ConnectionError:
            pass
        assert await harness.get() == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /open HTTP/1.1\r\nHost: loc",
        request("GET", "/open"),
        request("POST", "/post", "Content-Length: 1000") + b"x",
        request("POST", "/post", "Transfer-Encoding: chunked") + b"1\r\nx\r\n",
    ],
    ids=["idle", "half a head", "answered", "half a body", "chunks"],
)
async def test_a_closed_connection_leaves_nothing_for_the_garbage_collector(sent: bytes) -> None:
    """The collector seldom runs in the daemon, and what waits for it adds up."""
    async with run_harness() as harness:
        socket = await harness.connect(sent)
        await harness.until(lambda: len(harness.connections) == 1)
        connection = weakref.ref(next(iter(harness.connections._open)))
        if sent.startswith(b"POST"):
            await harness.until(lambda: bool(harness.bodies.anonymous.used))
        gc.disable()
        try:
            socket.close()
            async with patience():
                await harness.until(lambda: connection() is None)
        finally:
            gc.enable()
