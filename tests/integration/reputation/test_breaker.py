"""The breaker and canaries on a real store: what is held, what goes on, and what a restart remembers."""

import time
from contextlib import suppress

import pytest

from email_consumer.core.mail_group import MailGroup, MailReport, Tally
from email_consumer.holds.hold import Holder
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.keys import ACCOUNT, BULK
from email_consumer.message.lane import Lane
from email_consumer.reputation.breaker import ReputationBreaker
from email_consumer.reputation.canaries import Canaries
from email_consumer.reputation.reputation import Reputation
from email_consumer.reputation.rule import Outcomes
from email_consumer.reputation.saved_counts import save_counts
from email_consumer.store.database import Database
from tests.unit.reputation.test_rule import DEFAULTS

NEWS = MailGroup("news", None, Lane.BULK)


class Process:
    """One life of the process that has the store."""

    def __init__(self, database: Database, canary: int = 0) -> None:
        self.database = database
        self.holds = HoldList(database, lambda _: None)
        self.reputation = Reputation(DEFAULTS)
        self.tally = Tally()
        canaries = Canaries(database, self.holds, self.reputation, mails=canary, patience=600)
        self.breaker = ReputationBreaker(database, self.holds, self.reputation, canaries, self.tally)

    async def start(self) -> "Process":
        await self.holds.load()
        await self.breaker.load()
        return self

    async def send(self, mails: int, group: MailGroup = NEWS) -> None:
        self.tally[group.topic_id, group.tenant, group.lane is Lane.BULK] += mails
        await self.breaker.update()

    async def hear(self, bounces: int = 0, deliveries: int = 0, group: MailGroup = NEWS) -> None:
        """Of mail that was sent last."""
        sent_at = self.reputation.counts["account"].dump()[-1][0]
        for number in range(bounces + deliveries):
            self.breaker.report(MailReport(group, sent_at, bounced=number < bounces))
        await self.breaker.update()

    @property
    def held(self) -> dict[str, Holder]:
        return {hold.key: hold.holder for hold in self.holds.active}


async def test_a_bad_topic_is_held_with_the_reason(database: Database) -> None:
    process = await Process(database).start()
    await process.send(1_000)
    await process.hear(bounces=200, deliveries=800)
    assert process.held == {"topic:news": Holder.BREAKER}
    [hold] = process.holds.active
    assert hold.reason == "20.00% of 1,000 mails bounced, which is certain to be above 8.00%"
    assert not hold.transactional


async def test_a_restart_goes_on_with_the_counts_and_holds(database: Database) -> None:
    process = await Process(database).start()
    await process.send(1_000)
    await process.hear(bounces=60)
    await save_counts(database, process.reputation)
    process = await Process(database).start()
    assert process.reputation.counts["topic:news"].total == Outcomes(1_000, 60, 0)
    await process.hear(bounces=140)
    assert process.held == {"topic:news": Holder.BREAKER}
    await process.holds.resume("topic:news", by="operator")
    await save_counts(database, process.reputation)
    process = await Process(database).start()
    assert process.held == {}
    process.breaker.report(MailReport(NEWS, 1.0, bounced=True))  # sent before the resume
    await process.breaker.update()
    assert "topic:news" not in process.reputation.counts or not process.reputation.counts["topic:news"].total.bounced


async def test_a_topic_that_sent_nothing_for_a_day_takes_no_memory(database: Database) -> None:
    process = await Process(database).start()
    process.reputation.sent(MailGroup("old", None, Lane.BULK), time.time() - 90_000, 1_000)
    await process.send(1)
    await save_counts(database, process.reputation)
    assert process.reputation.counts.keys() == {"topic:news", BULK, ACCOUNT}


async def test_the_first_mails_of_a_topic_go_first_and_the_rest_follows_if_they_are_good(database: Database) -> None:
    process = await Process(database, canary=200).start()
    await process.send(199)
    assert process.held == {}
    await process.send(6)
    assert process.held == {"topic:news": Holder.CANARY}
    await process.send(5)  # were on their way
    await process.hear(bounces=2, deliveries=197)
    assert process.held == {"topic:news": Holder.CANARY}
    await process.hear(deliveries=1)
    assert process.held == {}
    await process.send(10_000)
    assert process.held == {}


async def test_a_mail_that_is_reported_twice_is_not_two_of_the_canary(database: Database) -> None:
    process = await Process(database, canary=200).start()
    await process.send(200)
    await process.hear(deliveries=189)
    for _ in range(189):
        process.breaker.report(MailReport(NEWS, time.time(), first=False))
    await process.breaker.update()
    assert process.held == {"topic:news": Holder.CANARY}
    await process.hear(deliveries=1)
    assert process.held == {}


async def test_what_is_known_before_the_canary_waits_counts_as_well(database: Database) -> None:
    process = await Process(database, canary=200).start()
    await process.send(150)
    await process.hear(deliveries=150)
    await process.send(50)
    assert process.held == {"topic:news": Holder.CANARY}
    await process.hear(deliveries=45)
    assert process.held == {}


async def test_the_rest_does_not_follow_if_the_canary_is_bad(database: Database) -> None:
    process = await Process(database, canary=200).start()
    await process.send(200)
    await process.hear(bounces=40, deliveries=160)
    assert process.held == {"topic:news": Holder.BREAKER}


async def test_a_topic_has_one_canary_also_after_a_restart(database: Database) -> None:
    process = await Process(database, canary=200).start()
    await process.send(200)
    process = await Process(database, canary=200).start()
    assert process.held == {"topic:news": Holder.CANARY}
    await process.holds.resume("topic:news", by="time")
    await process.send(200)
    assert process.held == {}


@pytest.mark.parametrize("group", [MailGroup("news", None, Lane.TRANSACTIONAL), MailGroup(None, None, Lane.BULK)])
async def test_only_bulk_mail_of_topics_has_canaries(database: Database, group: MailGroup) -> None:
    process = await Process(database, canary=200).start()
    await process.send(1_000, group)
    assert process.held == {}


async def test_a_store_that_fails_loses_no_verdict(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await Process(database).start()
    await process.send(1_000)
    with monkeypatch.context() as patch:
        patch.setattr(process.holds, "place", _full)
        with suppress(OSError):
            await process.hear(bounces=200)
    assert process.held == {}
    await process.breaker.update()
    assert process.held == {"topic:news": Holder.BREAKER}


async def _full(*_: object, **__: object) -> None:
    raise OSError
