"""`GET /v1/domains`: sums by domain and day, each result once, whatever was asked before or deleted since."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from email_consumer.api.domain_routes import DomainRoutes
from email_consumer.store import result_sums
from email_consumer.store.database import open_database
from email_consumer.store.domain_days import DomainDays
from email_consumer.store.retention import Retention
from tests.integration.dashboard.rows import Rows, serve

DAY = 86_400
NOON = int(time.time()) // DAY * DAY + DAY / 2


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Rows]:
    async with (
        open_database(tmp_path / "email.db") as database,
        serve(database, DomainRoutes(DomainDays(database)).routes()) as served,
    ):
        yield served


async def report(it: Rows, recipient: str, kind: str, detail: str = "", days_ago: int = 0) -> None:
    await it.execute(
        "INSERT INTO email_results (request_id, status, recipient, detail, created_at) VALUES (1, ?, ?, ?, ?)",
        (kind, recipient, detail, NOON - days_ago * DAY),
    )


async def fill(it: Rows) -> None:
    await it.add("a@one.example", at=time.time())
    for recipient in ("a@one.example", "b@one.example", '"x@y"@two.example'):
        await report(it, recipient, "Delivery")
    await report(it, "c@one.example", "Delivery", days_ago=1)
    await report(it, "d@one.example", "Bounce", "Permanent/General")
    await report(it, "d@two.example", "Bounce", "Transient/General")
    await report(it, "a@one.example", "Complaint", "abuse")
    for detail in ("MailboxFull", "MailboxFull", "TransientCommunicationFailure"):
        await report(it, "e@one.example", "DeliveryDelay", detail, days_ago=1)
    await report(it, "a@one.example", "Open")
    await report(it, "f@old.example", "Delivery", days_ago=9)


def counts(*values: int) -> dict[str, int]:
    return dict(zip(("delivered", "delays", "bounced", "soft_bounced", "complained"), values, strict=True))


async def test_the_domains_with_the_most_mail_come_first(it: Rows) -> None:
    await fill(it)
    status, found = await it.get("/v1/domains")
    assert status == 200
    assert found == {
        "domains": [
            counts(3, 3, 1, 0, 1) | {"domain": "one.example"},
            counts(1, 0, 0, 1, 0) | {"domain": "two.example"},
        ],
        "report": None,
    }
    _, found = await it.get("/v1/domains", days=10, limit=1)
    assert [each["domain"] for each in found["domains"]] == ["one.example"]
    assert (await it.get("/v1/domains", days=0))[0] == 422


async def test_one_domain_by_day_with_the_reasons_of_delays_in_words(it: Rows) -> None:
    await fill(it)
    _, found = await it.get("/v1/domains", domain="@One.example")
    days = [time.strftime("%Y-%m-%d", time.gmtime(NOON - ago * DAY)) for ago in (1, 0)]
    assert found["report"]["by_day"] == [
        counts(1, 3, 0, 0, 0) | {"day": days[0]},
        counts(2, 0, 1, 0, 1) | {"day": days[1]},
    ]
    assert found["report"]["delay_reasons"] == [
        {"reason": "MailboxFull", "text": "the mailbox is full", "delays": 2},
        {
            "reason": "TransientCommunicationFailure",
            "text": "the connection to the recipient's server failed",
            "delays": 1,
        },
    ]
    assert (await it.get("/v1/domains", domain="nobody.example"))[1] == {"domains": [], "report": None}


async def test_each_result_counts_once_in_steps_and_after_retention(it: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_sums, "_STEP", 2)
    await fill(it)
    _, first = await it.get("/v1/domains")
    assert (await it.get("/v1/domains"))[1] == first
    await it.execute("UPDATE email_requests SET finished_at = 1.0, created_at = 1.0")
    await report(it, "z@two.example", "Delivery")
    assert await Retention(it.database, 5 * DAY).sweep(time.time()) == 1
    ((left,),) = await it.database.fetch("SELECT count(*) FROM email_results")
    assert left == 0
    await it.add("a@one.example", at=time.time())
    await it.execute("UPDATE email_requests SET id = 1")
    await report(it, "z@two.example", "Delivery")
    _, found = await it.get("/v1/domains", days=10)
    assert {each["domain"]: each["delivered"] for each in found["domains"]} == {"one.example": 3, "two.example": 3}
