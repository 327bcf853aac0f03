"""`/v1/holds`, as operators and the command use it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.routes import HoldRoutes
from email_consumer.store.database import Database
from email_consumer.web.app import create_app
from email_consumer.web.server import Server


@pytest.fixture
async def url(database: Database) -> AsyncIterator[str]:
    holds = HoldList(database, lambda _: None)
    app = create_app(HoldRoutes(holds, HeldMail(database, holds, lambda: None)).routes(), ["key"], version="1")
    async with Server(app, 0) as server:
        yield f"http://127.0.0.1:{server.port}/v1/holds"


async def ask(method: str, url: str, body: object = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(headers={"X-API-KEY": "key"}) as session,
        session.request(method, url, json=body) as response,
    ):
        return response.status, await response.json()


async def test_a_hold_is_placed_listed_and_ended(url: str) -> None:
    until = "2199-01-31T09:00:00.000Z"
    status, placed = await ask("POST", url, {"key": "topic:a/b", "reason": "wrong prices", "until": until})
    assert status == 200, placed
    expected = {
        "key": "topic:a/b",
        "holder": "operator",
        "reason": "wrong prices",
        "since": placed["since"],
        "until": until,
        "transactional": False,
        "mails": 0,
    }
    assert placed == expected
    assert await ask("GET", url) == (200, {"holds": [expected]})
    assert await ask("DELETE", f"{url}/topic%3Aa%2Fb") == (200, {"holds": [expected]})
    assert await ask("GET", url) == (200, {"holds": []})


@pytest.mark.parametrize(
    "body",
    [
        {"key": "lane:transactional"},
        {"key": "topic:"},
        {"key": "nonsense"},
        {"key": "topic:a\nb"},
        {"key": "topic:a", "until": "tomorrow"},
        {"key": "topic:a", "reason": "x" * 501},
        {},
    ],
)
async def test_what_makes_no_sense_is_refused(url: str, body: dict[str, str]) -> None:
    status, answer = await ask("POST", url, body)
    assert (status, answer["error"]["code"]) == (422, "invalid")


async def test_what_is_not_held_cannot_be_resumed(url: str) -> None:
    status, answer = await ask("DELETE", f"{url}/topic%3Anews")
    assert (status, answer["error"]["code"]) == (404, "not_held")
