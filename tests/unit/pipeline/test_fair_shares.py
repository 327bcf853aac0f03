"""Tenants: turns at the pacer, and shares of the places where mail waits for its turn."""

import asyncio

from email_consumer.core.metrics import Metrics
from email_consumer.message.model import encode
from email_consumer.pipeline.fair_shares import FairShares
from email_consumer.pipeline.pacer import Pacer
from tests.factories import FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger
from tests.unit.pipeline.test_pipeline import DeadLetters, Ses, pipeline


def test_a_tenant_alone_may_take_all_places() -> None:
    shares = FairShares(lambda: 20)
    for _ in range(100):
        assert not shares.is_full("a")
        shares.enter("a")


def test_each_of_several_has_its_share_of_half_of_the_places() -> None:
    shares = FairShares(lambda: 40)
    for _ in range(10):
        shares.enter("a")
    assert not shares.is_full("a")
    shares.enter(None)
    assert shares.is_full("a")
    assert not shares.is_full(None)
    for _ in range(6):
        assert not shares.is_full("b")
        shares.enter("b")
    assert shares.is_full("b")
    shares.leave("b")
    assert not shares.is_full("b")
    shares.leave(None)
    for _ in range(5):
        shares.leave("b")
    assert not shares.is_full("a")


def test_each_may_have_one_mail_waiting_however_many_there_are() -> None:
    shares = FairShares(lambda: 16)
    for number in range(100):
        assert not shares.is_full(f"t-{number}")
        shares.enter(f"t-{number}")
    assert shares.is_full("t-1")


async def test_tenants_take_turns_at_the_pacer() -> None:
    pacer, order = Pacer(1_000, Metrics()), list[str]()
    pacer.hold("test", "until all wait")

    async def wait(tenant: str) -> None:
        await pacer.acquire(1, tenant=tenant)
        order.append(tenant)

    waiting = asyncio.gather(*(wait(tenant) for tenant in ["a"] * 50 + ["b"] * 2 + ["c"]))
    await asyncio.sleep(0)
    pacer.resume("test")
    await waiting
    assert order[:6] == ["a", "b", "c", "a", "b", "a"]
    assert len(order) == 53


async def test_fresh_mail_over_its_share_moves_into_the_store_and_what_comes_from_there_stays() -> None:
    ledger, sender, metrics = GrantingLedger(), Ses(), Metrics()
    pacer, shares = Pacer(1_000, metrics), FairShares(lambda: 32)
    handling = pipeline(ledger, DeadLetters(), pacer=pacer, sender=sender, metrics=metrics, shares=shares)
    pacer.hold("test", "until all wait")
    names = [("small", f"s-{n}") for n in range(2)] + [("big", f"b-{n}") for n in range(12)]
    fresh = [FakeDelivery(encode(mail(uuid, tenant=tenant))) for tenant, uuid in names]
    stored = FakeDelivery(encode(mail("kept", tenant="big")), headers={"Email-Origin": "nats"})
    urgent = FakeDelivery(encode(mail("urgent", tenant="big", lane="transactional")))
    waiting = asyncio.gather(*(handling.handle(delivery) for delivery in (*fresh, stored, urgent)))
    await asyncio.sleep(0)
    pacer.resume("test")
    await waiting
    assert ledger.held == ["turn"] * 4
    sent = [message.uuid for message in sender.sent]
    assert sorted(sent) == sorted([f"b-{n}" for n in range(8)] + ["kept", "s-0", "s-1", "urgent"])
