"""`GET /v1/tenants`: what became of each tenant's mail by day; each mail counts once, whatever was deleted since."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from email_consumer.api.tenant_routes import TenantRoutes
from email_consumer.core.tenant_limits import TenantLimits
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.limit_release import LimitRelease
from email_consumer.store import result_sums
from email_consumer.store.database import open_database
from email_consumer.store.retention import Retention
from email_consumer.store.tenant_days import COLUMNS, TenantDays
from tests.integration.dashboard.rows import Rows, serve

DAY = 86_400
NOON = int(time.time()) // DAY * DAY + DAY / 2


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Rows]:
    async with open_database(tmp_path / "email.db") as database:
        limits = LimitRelease(database, TenantLimits())
        held = HeldMail(database, HoldList(database, lambda _: None), lambda: None, limits=limits)
        async with serve(database, TenantRoutes(TenantDays(database), held, limits).routes()) as served:
            yield served


async def send(it: Rows, uuid: str, tenant: str | None, days_ago: int = 0) -> None:
    """A mail that is claimed first, as most are."""
    await it.execute(
        "INSERT INTO email_requests (uuid, email, address, status, source, tenant, created_at, updated_at)"
        " VALUES (?, ?, ?, 1, 'nats', ?, ?, ?)",
        (uuid, f"{uuid}@example.com", f"{uuid}@example.com", tenant, NOON, NOON),
    )
    await it.execute(
        "UPDATE email_requests SET status = 2, finished_at = ? WHERE uuid = ?", (NOON - days_ago * DAY, uuid)
    )


async def report(it: Rows, uuid: str, kind: str, detail: str = "", *, days_ago: int = 0, recipient: str = "") -> None:
    await it.execute(
        "INSERT INTO email_results (request_id, status, recipient, detail, created_at)"
        " SELECT id, ?, ?, ?, ? FROM email_requests WHERE uuid = ?",
        (kind, recipient or f"{uuid}@example.com", detail, NOON - days_ago * DAY, uuid),
    )


async def fill(it: Rows) -> None:
    for uuid, tenant, days_ago in (("a", "acme", 1), ("b", "acme", 0), ("c", "acme", 0), ("d", "globex", 0)):
        await send(it, uuid, tenant, days_ago)
    await send(it, "nobody's", None)
    await send(it, "old", "acme", days_ago=9)
    await report(it, "a", "Delivery", days_ago=1)
    await report(it, "a", "Delivery")  # SES may say it twice
    await report(it, "a", "Complaint", "abuse")
    await report(it, "b", "Bounce", "Permanent/General")
    await report(it, "c", "Bounce", "Transient/MailboxFull")
    await report(it, "c", "Bounce", "Permanent/General", recipient="copy@example.com")
    await report(it, "d", "Delivery")
    await report(it, "d", "Complaint", "not-spam")
    await report(it, "nobody's", "Delivery")


def counts(*values: int) -> dict[str, int]:
    return dict(zip(COLUMNS, values, strict=True))


UNLIMITED = {"rate": None, "daily": None, "released": 0, "mails": 0}
ACME, GLOBEX = {"tenant": "acme"} | UNLIMITED, {"tenant": "globex"} | UNLIMITED


async def test_the_tenants_with_the_most_mail_come_first(it: Rows) -> None:
    await fill(it)
    tenants = [counts(3, 1, 1, 1) | ACME, counts(1, 1, 0, 0) | GLOBEX]
    assert await it.get("/v1/tenants") == (200, {"tenants": tenants, "report": None})
    assert (await it.get("/v1/tenants", limit=1))[1]["tenants"] == tenants[:1]
    assert (await it.get("/v1/tenants", days=10))[1]["tenants"][0]["sent"] == 4
    assert (await it.get("/v1/tenants", days=0))[0] == 422


async def test_one_tenant_by_day(it: Rows) -> None:
    await fill(it)
    days = [time.strftime("%Y-%m-%d", time.gmtime(NOON - ago * DAY)) for ago in (1, 0)]
    _, found = await it.get("/v1/tenants", tenant="acme")
    assert found["report"]["by_day"] == [
        counts(1, 1, 0, 0) | {"day": days[0]},
        counts(2, 0, 1, 1) | {"day": days[1]},
    ]
    _, found = await it.get("/v1/tenants", tenant="strange")
    assert found["report"] == counts(0, 0, 0, 0) | {"tenant": "strange"} | UNLIMITED | {"by_day": []}


async def test_each_result_counts_once_in_steps_and_after_retention(it: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_sums, "_STEP", 2)
    await fill(it)
    _, first = await it.get("/v1/tenants")
    assert (await it.get("/v1/tenants"))[1] == first
    await it.execute("UPDATE email_requests SET finished_at = 1.0, created_at = 1.0")
    await Retention(it.database, 5 * DAY).sweep(time.time())
    ((left,),) = await it.database.fetch("SELECT count(*) FROM email_results")
    assert left == 0
    assert (await it.get("/v1/tenants"))[1] == first
    await send(it, "new", "globex")
    await report(it, "new", "Delivery")
    assert (await it.get("/v1/tenants", tenant="globex"))[1]["tenants"] == [counts(2, 2, 0, 0) | GLOBEX]
