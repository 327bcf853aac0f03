"""Limits of tenants: exact for each day and each second, through restarts, transactional mail first."""

import time
from collections.abc import Callable
from datetime import date, timedelta

import aiohttp
import pytest

from email_consumer.api.tenant_routes import TenantRoutes
from email_consumer.core.metrics import Metrics
from email_consumer.core.ramps import RAMPED, Ramps
from email_consumer.core.tenant_limits import LIMITED, TenantLimits
from email_consumer.holds import held_mail, limit_release
from email_consumer.holds.active_holds import ActiveHolds
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold import Holder
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.keys import limit_key, ramp_key
from email_consumer.holds.limit_release import LimitRelease
from email_consumer.holds.ramp_release import RampRelease
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.lane import Lane
from email_consumer.scheduling import due_mail
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.store.database import Database
from email_consumer.store.tenant_days import COLUMNS, TenantDays
from email_consumer.web.app import create_app
from email_consumer.web.server import Server
from tests.factories import ORIGIN, mail

FIRST = date(2027, 1, 30)
BULK = limit_key("acme", Lane.BULK)


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the day, counted from the first."""

    def begin(number: int) -> None:
        for module in (limit_release, due_mail):
            monkeypatch.setattr(module, "today", lambda: FIRST + timedelta(days=number))

    begin(0)
    return begin


async def store(database: Database, uuids: range, key: str = BULK, **fields: object) -> None:
    ledger = SqliteLedger(database, lambda *_: None, Policy(3600, "resend", 0, 3))
    async with ledger.running():
        for number in uuids:
            await ledger.schedule(mail(f"u-{number}", tenant="acme", **fields), ORIGIN, key)


async def published(database: Database, lane: Lane = Lane.BULK) -> int:
    messages = (await DueMail(database).take(lane, 10_000)).messages
    await DueMail(database).mark_published([(message.id, 0) for message in messages])
    return len(messages)


async def test_each_day_lets_go_on_what_it_allows_through_restarts(
    database: Database, day: Callable[[int], None]
) -> None:
    await store(database, range(150))
    limits = TenantLimits(days={"acme": 60})
    for number, allowed in enumerate((60, 60, 30)):
        day(number)
        released = sum([await LimitRelease(database, limits).release("acme") for _life in range(3)])
        assert released == allowed
        assert (await LimitRelease(database, limits).used("acme")).recipients == allowed
        assert await published(database) == allowed


async def test_transactional_mail_goes_first_and_copies_are_recipients_too(database: Database) -> None:
    await store(database, range(50))
    urgent = limit_key("acme", Lane.TRANSACTIONAL)
    await store(database, range(50, 70), urgent, lane="transactional", cc=["b@example.com"], bcc=["c@example.com"])
    await LimitRelease(database, TenantLimits(days={"acme": 65})).release("acme")
    assert await published(database, Lane.TRANSACTIONAL) == 20
    assert await published(database) == 5


async def test_a_rate_is_kept_through_restarts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await store(database, range(400))
    now, limits = time.time(), TenantLimits(rates={"acme": 20.0})
    released: list[int] = []
    for tick in range(200):  # ten seconds, each time by another process
        monkeypatch.setattr(time, "time", lambda tick=tick: now + tick / 20)
        released.append(await LimitRelease(database, limits).release("acme"))
    assert 200 <= sum(released) <= 205
    assert max(sum(released[start : start + 20]) for start in range(180)) <= 20 * (1 + limit_release.PACE) + 1


async def test_a_clock_that_is_put_back_stops_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await store(database, range(5))
    limits = TenantLimits(rates={"acme": 1.0})
    assert await LimitRelease(database, limits).release("acme")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    assert await LimitRelease(database, limits).release("acme")


async def test_what_a_hold_covers_waits_for_that_and_counts_once(database: Database) -> None:
    await store(database, range(10), topic_id="held")
    active, limits = ActiveHolds(), TenantLimits(days={"acme": 100})
    active.replace({"topic:held": False})
    release = LimitRelease(database, limits, active)
    assert await release.release("acme") == 10
    holds = HeldMail(database, HoldList(database, lambda _: None), lambda: None, limits=release)
    assert await holds.counts() == {"topic:held": 10}
    assert (await release.used("acme")).recipients == 0


async def test_mail_behind_much_that_a_hold_covers_does_not_wait_for_another_look(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_release, "_BATCH", 5)
    await store(database, range(20), topic_id="held")
    await store(database, range(20, 23))
    active = ActiveHolds()
    holds = HoldList(database, active.replace)
    await holds.place("topic:held", "", Holder.OPERATOR)
    limits = LimitRelease(database, TenantLimits(days={"acme": 100}), active)
    assert await HeldMail(database, holds, lambda: None, limits=limits).release() == 23
    assert await published(database) == 3


async def test_a_day_later_it_counts_again_but_not_on_the_same_day(
    database: Database, day: Callable[[int], None]
) -> None:
    await store(database, range(1))
    await LimitRelease(database, TenantLimits(days={"acme": 100})).release("acme")
    [message] = (await DueMail(database).take(Lane.BULK, 10)).messages
    assert message.headers[LIMITED] == "2027-01-30"
    await store(database, range(1), "topic:news")
    await HeldMail(database, HoldList(database, lambda _: None), lambda: None).release()
    [message] = (await DueMail(database).take(Lane.BULK, 10)).messages
    assert message.headers[LIMITED] == "2027-01-30"
    day(1)
    [message] = (await DueMail(database).take(Lane.BULK, 10)).messages
    assert LIMITED not in message.headers


async def test_mail_that_came_through_its_ramp_does_not_wait_for_it_again(database: Database) -> None:
    await store(database, range(1), ramp_key("news.example.com"))
    await RampRelease(database, Ramps({"news.example.com": FIRST}, (50,))).release("news.example.com", FIRST)
    assert await published(database) == 1
    await store(database, range(1))
    assert await LimitRelease(database, TenantLimits(days={"acme": 100})).release("acme") == 1
    [message] = (await DueMail(database).take(Lane.BULK, 10)).messages
    assert {RAMPED, LIMITED} <= message.headers.keys()


async def test_without_its_limit_everything_goes_on(database: Database) -> None:
    await store(database, range(700))
    assert await HeldMail(database, HoldList(database, lambda _: None), lambda: None).release() == 700


async def test_a_tenant_with_a_high_rate_keeps_nobody_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its limits always allow some more; mail whose hold ends meanwhile is released in between."""
    holds = HoldList(database, lambda _: None)

    async def resume(*_: float) -> None:
        await holds.resume("topic:news", by="an operator")

    for module in (held_mail, limit_release):
        monkeypatch.setattr(module, "_BATCH", 2)
    monkeypatch.setattr(held_mail, "rest", resume)
    await store(database, range(6))
    await store(database, range(6, 7), "topic:news")
    await holds.place("topic:news", "", Holder.OPERATOR)
    release = LimitRelease(database, TenantLimits(rates={"acme": 1_000_000.0}))
    assert await HeldMail(database, holds, lambda: None, limits=release).release() == 7
    order = [row["uuid"] for row in await database.fetch("SELECT uuid FROM email_requests ORDER BY updated_at, id")]
    assert order.index("u-6") == 2, "after the first batch of the tenant"


async def test_operators_see_limits_and_what_waits(database: Database) -> None:
    await store(database, range(80))
    metrics = Metrics()
    release = LimitRelease(database, TenantLimits({"globex": 5}, {"acme": 60}))
    held = HeldMail(database, HoldList(database, lambda _: None), lambda: None, limits=release, metrics=metrics)
    await held.release()
    assert metrics.limited_tenants == 1
    app = create_app(TenantRoutes(TenantDays(database), held, release).routes(), ["key"], version="1")
    nothing = dict.fromkeys(COLUMNS, 0)
    acme = nothing | {"tenant": "acme", "rate": None, "daily": 60, "released": 60, "mails": 20}
    globex = nothing | {"tenant": "globex", "rate": 5, "daily": None, "released": 0, "mails": 0}
    async with Server(app, 0) as server, aiohttp.ClientSession(headers={"X-API-KEY": "key"}) as session:
        for query, expected in (("", [acme, globex]), ("?limit=1", [acme]), ("?tenant=globex", [globex])):
            async with session.get(f"http://127.0.0.1:{server.port}/v1/tenants{query}") as response:
                assert (await response.json())["tenants"] == expected
