"""Wrong keys are counted and slowed; right ones never are."""

import pytest
from structlog.testing import capture_logs

from email_consumer.web.descriptors import connection_limit, raise_descriptor_limit
from tests.integration.hostile_clients.harness import KEY, request, run_harness


async def test_many_wrong_keys_wait_for_their_answer_and_a_right_one_does_not() -> None:
    async with run_harness() as harness:
        with capture_logs() as log:
            assert [await harness.get("/known", f"X-API-KEY: {number}") for number in range(10)] == [401] * 10
            for number in range(32):
                await harness.connect(request("GET", "/known", f"X-API-KEY: {number}"))
            await harness.until(lambda: harness.metrics.api_keys_refused == 42)
            beyond = [await harness.get("/known", f"Authorization: Bearer {number}") for number in range(10)]
            assert beyond == [429] * 10
            assert await harness.get("/known", f"X-API-KEY: {KEY}") == 200
            assert await harness.get("/known") == 401  # none was tried
        assert harness.metrics.api_keys_refused == 52
        assert [line["event"] for line in log] == ["api.wrong_key"]


async def test_the_answer_comes_after_the_pause() -> None:
    async with run_harness(pause=0.01) as harness:
        assert [await harness.get("/known", "X-API-KEY: x") for _ in range(20)] == [401] * 20


async def test_an_error_of_ours_is_logged_once_in_a_while() -> None:
    async with run_harness() as harness:
        with capture_logs() as log:
            assert [await harness.get(f"/broken?{number}") for number in range(20)] == [500] * 20
        assert [(line["event"], line["unlogged"]) for line in log] == [("api.crashed", 0)]


BAD_TARGETS = [
    b"/open?%00",
    b"/open?a=%00",
    b"/open/%00",
    b"/\xff",
    b"/open?\xff=1",
    b"/open?a=\xc3\xa9",
    "/ключ".encode(),
    b"/%2500\xed\xa0\x80",
]


@pytest.mark.parametrize("target", BAD_TARGETS)
async def test_what_is_no_text_is_no_target(target: bytes) -> None:
    async with run_harness() as harness:
        with capture_logs() as log:
            socket = await harness.connect(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await socket.status() == 400
        assert log == []


ODD_TARGETS = [
    b"/open?%ff",
    b"/open?a=%ed%a0%80",
    b"/%f",
    b"/%",
    b"/open?%zz",
    b"//open",
    b"http://[/",
    b"http://a:b@c/open",
]


@pytest.mark.parametrize("target", ODD_TARGETS)
async def test_odd_targets_are_no_error_of_ours(target: bytes) -> None:
    async with run_harness() as harness:
        with capture_logs() as log:
            socket = await harness.connect(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await socket.status() in {200, 400, 404}
        assert log == []


def test_the_senders_descriptors_are_kept_apart() -> None:
    assert connection_limit(20_000, concurrency=500, maximum=512) == 512
    assert connection_limit(1_024, concurrency=500, maximum=512) == 332
    with capture_logs() as log:
        assert connection_limit(256, concurrency=500, maximum=512) == 16
    assert (log[0]["event"], log[0]["needed"]) == ("daemon.few_descriptors", 756)
    assert raise_descriptor_limit() >= 1_024
