"""A few run, some wait, the rest get 429."""

import asyncio

import pytest

from email_consumer.api.request_limiter import RequestLimiter
from email_consumer.web.routing import ApiError


async def test_those_beyond_the_queue_are_refused_and_the_others_take_turns() -> None:
    turns = RequestLimiter(concurrent=2, waiting=3)
    finish = asyncio.Event()
    inside = most = 0

    async def request() -> None:
        nonlocal inside, most
        async with turns.slot():
            inside += 1
            most = max(most, inside)
            await finish.wait()
            inside -= 1

    waiting = [asyncio.create_task(request()) for _ in range(7)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
    finish.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    refused = [result for result in results if isinstance(result, ApiError)]
    assert [(error.status, error.headers) for error in refused] == [(429, {"Retry-After": "1"})] * 2
    assert done
    assert most == 2
    async with turns.slot():
        pass


async def test_a_failed_turn_is_over() -> None:
    turns = RequestLimiter(concurrent=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            async with turns.slot():
                raise ValueError("no")
