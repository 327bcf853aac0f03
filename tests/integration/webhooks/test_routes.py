"""`/v1/webhooks`, as an operator uses it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from standardwebhooks import Webhook

from email_consumer.store.erasure import erase
from email_consumer.web.app import create_app
from email_consumer.webhooks import schedule
from email_consumer.webhooks.routes import NoWebhookRoutes, WebhookRoutes
from tests.factories import event
from tests.integration.webhooks.harness import WebhooksHarness, receiver, webhooks
from tests.waiting import until

KEY = "key-1"
Ask = Callable[..., Awaitable[tuple[int, Any]]]


@asynccontextmanager
async def api(path: Path, *, allow_private: bool = True) -> AsyncIterator[tuple[WebhooksHarness, Ask]]:
    async with webhooks(path, allow_private=allow_private) as harness:
        routes = WebhookRoutes(harness.endpoints, harness.sender, harness.deliverer.due).routes()
        async with TestClient(TestServer(create_app(routes, [KEY], version="1"))) as client:

            async def ask(method: str, where: str = "", body: object = None) -> tuple[int, Any]:
                answer = await client.request(method, f"/v1/webhooks{where}", json=body, headers={"X-API-KEY": KEY})
                return answer.status, await answer.json()

            yield harness, ask


async def test_an_endpoint_from_its_addition_to_its_removal(path: Path) -> None:
    async with receiver() as hook, api(path) as (harness, ask):
        status, added = await ask("POST", body={"url": hook.url, "types": ["sent", "in-doubt"], "topics": ["t"]})
        assert (status, added["types"], added["topics"]) == (200, ["in_doubt", "sent"], ["t"])
        one = f"/{added['id']}"
        assert await ask("POST", f"{one}/test", {}) == (200, {"delivered": True, "error": None})
        await harness.send(0, 2, topic_id="t")
        await harness.send(2, 1, topic_id="other")
        await hook.until(3)
        Webhook(added["secret"]).verify(hook.received[-1].body, dict(hook.received[-1].headers))
        await until(lambda: all(row[4] for row in harness.deliveries()))
        _, page = await ask("GET", f"{one}/deliveries?limit=1")
        _, rest = await ask("GET", f"{one}/deliveries?limit=5&after={page['next']}&state=delivered")
        assert [each["event_id"] for each in [*page["deliveries"], *rest["deliveries"]]] == [
            got.event["id"] for got in sorted(hook.received[1:], key=lambda got: -got.event["seq"])
        ]
        _, rotated = await ask("POST", f"{one}/rotate", {})
        assert rotated["secret"] != added["secret"]
        _, listed = await ask("GET")
        assert "secret" not in listed["webhooks"][0]
        assert (await ask("DELETE", one))[0] == 200
        assert await ask("GET") == (200, {"webhooks": []})
        for method, where in (("GET", one), ("DELETE", one), ("POST", f"{one}/test"), ("GET", f"{one}/deliveries")):
            assert (await ask(method, where))[0] == 404


async def test_what_was_given_up_is_sent_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_DELAYS", ())
    down = True

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=500 if down else 204)

    async with receiver(answer) as hook, api(path) as (harness, ask):
        _, added = await ask("POST", body={"url": hook.url})
        await harness.send(0, 3)
        await until(lambda: [row[2:5] for row in harness.deliveries()] == [(1, 0, 0)] * 3)
        _, failed = await ask("GET", f"/{added['id']}/deliveries?state=failed")
        assert len(failed["deliveries"]) == 3
        assert (await ask("GET", f"/{added['id']}"))[1]["failing_since"]
        down = False
        one = failed["deliveries"][0]["id"]
        assert await ask("POST", f"/{added['id']}/resend", {"delivery": one}) == (200, {"deliveries": 1})
        await hook.until(4)
        await until(lambda: sum(row[4] for row in harness.deliveries()) == 1)
        assert (await ask("POST", f"/{added['id']}/resend", {"delivery": 2**63}))[0] == 422
        assert await ask("POST", f"/{added['id']}/resend", {"since": 0}) == (200, {"deliveries": 2})
        await until(lambda: sum(row[4] for row in harness.deliveries()) == 3)
        assert await ask("POST", f"/{added['id']}/resend", {"delivered": True}) == (200, {"deliveries": 3})
        await hook.until(9)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"url": "http://example.com/"}, "https"),
        ({"url": "https://user:password@example.com/"}, "user name"),
        ({"url": ""}, "url"),
        ({"url": "https://example.com/\r\nX-Evil: 1"}, "url: must not contain spaces or control characters"),
        ({"url": "https://example.com/\x1b[2J"}, "url: must not contain spaces or control characters"),
        ({"url": "https://two words.example/"}, "url: must not contain spaces or control characters"),
        ({"url": "https://example.com:99999/"}, "url: Port out of range"),
        ({"url": "https://[::1"}, "url: Invalid IPv6 URL"),
        ({"url": "https://example.com/", "topic": "t"}, "topic: is not a known field"),
        ({}, "url"),
        (
            {"url": "https://example.com/", "types": ["sent", "nonsense"]},
            "'nonsense' is not a type of event; these are: scheduled, sent,",
        ),
        ({"url": "https://example.com/", "types": []}, "types"),
        ({"url": "https://example.com/", "lane": "fast"}, "lane"),
    ],
)
async def test_what_is_no_endpoint(path: Path, body: object, said: str) -> None:
    async with api(path, allow_private=False) as (_, ask):
        status, answer = await ask("POST", body=body)
        assert status == 422
        assert said in str(answer)
        assert (await ask("GET"))[1] == {"webhooks": []}


async def test_there_are_not_more_than_a_hundred(path: Path) -> None:
    async with api(path) as (_, ask):
        answers = [(await ask("POST", body={"url": f"http://127.0.0.1:1/{number}"}))[0] for number in range(101)]
        assert answers == [200] * 100 + [409]


async def test_an_erasure_reaches_deliveries(path: Path) -> None:
    async with receiver() as hook, api(path) as (harness, ask):
        await ask("POST", body={"url": hook.url})
        await harness.feedback.send("u-0", "ses-0")
        await harness.feedback.take(event("Bounce", "u-0", message_id="ses-0"))
        await harness.feedback.send("u-1", "ses-1", email="joe@example.com")
        await until(lambda: sum(row[4] for row in harness.deliveries()) == 3)
        await erase(harness.feedback.database, "jane@example.com")
        [body] = harness.feedback.rows("SELECT body FROM webhook_deliveries")
        assert "joe@example.com" in body[0]


async def test_where_there_are_no_webhooks_it_says_how_to_have_them() -> None:
    app = create_app(NoWebhookRoutes().routes(), [KEY], version="1")
    async with TestClient(TestServer(app)) as client:
        for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/ep_1"), ("GET", "/ep_1/deliveries")):
            answer = await client.request(method, f"/v1/webhooks{path}", headers={"X-API-KEY": KEY})
            assert answer.status == 404
            assert "Set EVENTS_OUT=webhooks" in (await answer.json())["error"]["message"]
            assert (await client.request(method, f"/v1/webhooks{path}")).status == 401
