"""A large request is read in steps, between which everything else goes on."""

import asyncio
from datetime import UTC

import orjson
import pytest

from email_consumer.api.batch import prepare
from email_consumer.api.request_reader import read_request
from email_consumer.message.keys import Reading
from email_consumer.web.routing import ApiError


async def test_the_event_loop_gets_its_turns() -> None:
    # Such an address takes a hundred times as long as a plain one, and no two are the same.
    exotic = [[f"a@{'ü' * 40}{number}.{place}.example" for place in range(45)] for number in range(100)]
    messages = [{"emails": ["a@example.com"], "subject": "s", "content": "b", "cc": cc} for cc in exotic]
    body = orjson.dumps({"messages": messages})
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(others())
    request = await read_request(body, Reading())
    while_reading = turns
    await prepare(request, UTC, 2**20)
    other.cancel()
    assert len(request.messages) == 100
    assert while_reading > 0
    assert turns > while_reading


async def test_what_is_wrong_is_named_by_its_place() -> None:
    good = {"emails": ["a@example.com"], "subject": "s", "content": "b"}
    for wrong, field in (
        ({"subject": 7}, "messages.1.subject: "),
        ({"lane": "x"}, "messages.1.lane: "),
        ({"send_window": "x"}, "messages.1.send_window: "),
        (7, ""),
    ):
        messages = [good, good | wrong if isinstance(wrong, dict) else wrong, wrong]
        with pytest.raises(ApiError) as caught:
            await read_request(orjson.dumps({"messages": messages}), Reading())
        assert caught.value.status == 422
        assert str(caught.value).startswith(field or "messages.1: ")
