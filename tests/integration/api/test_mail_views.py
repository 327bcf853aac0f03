"""What the page shows of one mail's content, of reasons, and of what waits in the store."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from email_consumer.api import waiting_routes
from email_consumer.api.content_routes import ContentRoutes
from email_consumer.api.reason_routes import ReasonRoutes
from email_consumer.api.waiting_routes import WaitingRoutes
from email_consumer.message.content import Content
from email_consumer.message.times import rfc3339
from email_consumer.store.contents import keep_content
from email_consumer.store.database import open_database
from tests.integration.dashboard.rows import Rows, serve

_CONTENT = Content.model_validate(
    {
        "subject": "Hello",
        "body": "<p>Grüße</p><script>evil()</script>",
        "text": "Grüße",
        "cc": ["copy@example.com"],
        "headers": {"X-Campaign": "spring"},
        "attachments": [{"filename": "a.txt", "content": "aGVsbG8=", "content_type": "text/plain"}],
    }
)


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Rows]:
    async with open_database(tmp_path / "email.db") as database:
        parts = (ContentRoutes(database, "Us <us@example.com>"), ReasonRoutes(database), WaitingRoutes(database))
        async with serve(database, [route for part in parts for route in part.routes()]) as served:
            yield served


async def _keep(it: Rows, content: Content, uuid: str) -> None:
    async with it.database.transaction() as connection:
        number = await keep_content(connection, content, 0)
        await connection.execute("UPDATE email_requests SET content_id = ? WHERE uuid = ?", (number, uuid))


async def test_a_content_is_shown_where_it_is_kept(it: Rows) -> None:
    await it.add("a@example.com", "b@example.com")
    await _keep(it, _CONTENT, "u-1")
    status, content = await it.get("/v1/messages/u-1/content")
    assert (status, content) == (
        200,
        {
            "subject": "Hello",
            "from_email": "Us <us@example.com>",
            "reply_to": [],
            "cc": ["copy@example.com"],
            "bcc": [],
            "headers": {"X-Campaign": "spring"},
            "text": "Grüße",
            "html": True,
            "attachments": [{"filename": "a.txt", "content_type": "text/plain", "size": 8}],
        },
    )
    for uuid, reason in [("u-2", "not kept"), ("u-3", "No mail")]:
        for what in ("content", "preview"):
            status, problem = await it.get(f"/v1/messages/{uuid}/{what}")
            assert status == 404
            assert reason in problem["error"]["message"]


async def test_a_preview_runs_nothing_and_loads_nothing(it: Rows) -> None:
    await it.add("a@example.com")
    await _keep(it, _CONTENT, "u-1")
    async with it.session.get(it.url + "/v1/messages/u-1/preview") as response:
        assert await response.text() == _CONTENT.body
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert (response.content_type, response.charset) == ("text/html", "utf-8")
    assert {"sandbox", "default-src 'none'", "img-src data:", "frame-ancestors 'self'"} <= set(policy)


async def _result(it: Rows, mail: int, kind: str, detail: str) -> None:
    sql = "INSERT INTO email_results (request_id, status, detail, created_at) VALUES (?, ?, ?, 0)"
    await it.execute(sql, (mail, kind, detail))


def _reason(state: str, reason: str, mails: int) -> dict[str, Any]:
    return {"state": state, "reason": reason, "mails": mails}


async def test_reasons_are_counted_the_most_frequent_first(it: Rows) -> None:
    await it.add("a@example.com", "b@example.com", "c@example.com", topic="t", status=3, error="not verified")
    await it.add("d@example.com", topic="other", status=3, error="not verified")
    await it.add("e@example.com", "f@example.com", topic="t", status=4, error="cancelled")
    await it.add("g@example.com", topic="t")
    await _result(it, 7, "DeliveryDelay", "MailboxFull")
    await _result(it, 7, "Bounce", "Permanent/General")
    status, found = await it.get("/v1/reasons", topic_id="t")
    assert status == 200
    assert found["reasons"][:2] == [_reason("failed", "not verified", 3), _reason("stopped", "cancelled", 2)]
    assert sorted(found["reasons"][2:], key=str) == [
        _reason("bounced", "Permanent/General", 1),
        _reason("delayed", "MailboxFull", 1),
    ]
    assert (await it.get("/v1/reasons", limit=1))[1]["reasons"] == [_reason("failed", "not verified", 4)]
    assert (await it.get("/v1/reasons", topic_id="unknown"))[1]["reasons"] == []


async def test_mail_with_the_same_reason_is_counted_together_for_all_addresses(it: Rows) -> None:
    for name, domain in (("ann", "example.com"), ("bob", "example.org")):
        address = f"{name}@{domain}"
        await it.add(address, topic="t", status=4, error=f"suppressed: {address}: manual")
        await it.add(address, topic="t", status=3, error=f"MessageRejected: not verified, check failed: {address}")
    _, found = await it.get("/v1/reasons", topic_id="t")
    assert sorted(found["reasons"], key=str) == [
        _reason("failed", "MessageRejected: not verified, check failed: …", 2),
        _reason("stopped", "suppressed: …: manual", 2),
    ]


async def test_what_waits_in_the_store_is_counted_by_lane(it: Rows) -> None:
    now = time.time()
    await it.add("a@example.com", "b@example.com", "c@example.com", "d@example.com", status=0, at=now)
    for number in range(1, 5):
        await _keep(it, _CONTENT, f"u-{number}")
    await it.execute("UPDATE email_requests SET scheduled_at = ? WHERE uuid = 'u-1'", (now + 7_200,))
    await it.execute("UPDATE email_requests SET scheduled_at = ? WHERE uuid = 'u-2'", (now + 3_600,))
    await it.execute("UPDATE email_requests SET lane = 'transactional' WHERE uuid = 'u-3'")
    await it.execute("UPDATE email_requests SET published_at = ? WHERE uuid = 'u-4'", (now,))
    _, waiting = await it.get("/v1/waiting")
    bulk, transactional = waiting["lanes"]["bulk"], waiting["lanes"]["transactional"]
    assert (bulk["scheduled"]["mails"], bulk["due"]["mails"]) == (2, 0)
    assert bulk["scheduled"]["first_at"] == rfc3339(now + 3_600)
    assert transactional["scheduled"] == {"mails": 0, "more": False, "first_at": None}
    assert transactional["due"]["mails"] == 1


async def test_what_waits_is_counted_by_tenant_and_held_mail_is_not(it: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    await it.add(*(f"{number}@example.com" for number in range(8)), status=0, at=now - 60)
    for number in range(1, 9):
        await _keep(it, _CONTENT, f"u-{number}")
    await it.execute("UPDATE email_requests SET tenant = 'shop' WHERE uuid IN ('u-1', 'u-2', 'u-3', 'u-4')")
    await it.execute("UPDATE email_requests SET tenant = 'blog' WHERE uuid = 'u-5'")
    await it.execute("UPDATE email_requests SET scheduled_at = ? WHERE uuid = 'u-1'", (now + 60,))
    await it.execute("UPDATE email_requests SET held_by = 'topic:t' WHERE uuid = 'u-8'")
    bulk = (await it.get("/v1/waiting"))[1]["lanes"]["bulk"]
    due = {each["tenant"]: each["due"]["mails"] for each in bulk["tenants"]}
    assert due == {None: 2, "blog": 1, "shop": 3}
    assert [each["scheduled"]["mails"] for each in bulk["tenants"]] == [0, 0, 1]
    assert bulk["due"] == {"mails": 6, "more": False, "first_at": rfc3339(now - 60)}
    monkeypatch.setattr(waiting_routes, "_COUNTED", 6)
    monkeypatch.setattr(waiting_routes, "_MOST_TENANTS", 2)
    bulk = (await it.get("/v1/waiting"))[1]["lanes"]["bulk"]
    assert [each["tenant"] for each in bulk["tenants"]] == [None, "blog"]
    assert (bulk["due"]["mails"], bulk["due"]["more"]) == (3, True)
    monkeypatch.setattr(waiting_routes, "_COUNTED", 1)
    bulk = (await it.get("/v1/waiting"))[1]["lanes"]["bulk"]
    assert bulk["tenants"][0]["due"]["more"]
