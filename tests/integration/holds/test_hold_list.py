"""Holds in the store: placed, ended, and known again after a restart."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from email_consumer.holds.hold import Hold, Holder
from email_consumer.holds.hold_list import HoldList, TooManyHoldsError
from email_consumer.outbox.recording import record
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.store.database import Database
from tests.waiting import until


class Published:
    """What the workers know."""

    def __init__(self) -> None:
        self.keys: Mapping[str, bool] = {}

    def __call__(self, keys: Mapping[str, bool]) -> None:
        self.keys = keys


async def test_a_key_is_held_until_each_of_its_holders_has_ended_its_hold(database: Database) -> None:
    known = Published()
    holds = HoldList(database, known)
    await holds.place("topic:news", "8 % bounced", Holder.BREAKER)
    await holds.place("topic:news", "wrong prices", Holder.OPERATOR)
    assert [hold.reason for hold in await holds.resume("topic:news", by="breaker", holder=Holder.BREAKER)] == [
        "8 % bounced"
    ]
    assert known.keys == {"topic:news": False}
    assert [hold.holder for hold in await holds.resume("topic:news", by="operator")] == [Holder.OPERATOR]
    assert known.keys == {}
    assert await holds.resume("topic:news", by="operator") == []


@pytest.mark.parametrize(
    ("key", "holder", "transactional"),
    [
        ("account", Holder.OPERATOR, True),
        ("account", Holder.BREAKER, False),
        ("tenant:acme", Holder.SES, True),
        ("tenant:acme", Holder.BREAKER, False),
        ("lane:bulk", Holder.OPERATOR, False),
        ("topic:news", Holder.OPERATOR, False),
    ],
)
async def test_only_operators_and_ses_hold_transactional_mail(
    database: Database, key: str, holder: Holder, *, transactional: bool
) -> None:
    known = Published()
    assert (await HoldList(database, known).place(key, "", holder)).transactional is transactional
    assert known.keys == {key: transactional}


async def test_holds_survive_a_restart(database: Database) -> None:
    await HoldList(database, Published()).place("tenant:acme", "paused", Holder.OPERATOR)
    known = Published()
    holds = HoldList(database, known)
    await holds.load()
    assert known.keys == {"tenant:acme": True}
    assert holds.holds("tenant:acme")
    assert not holds.holds("tenant:other")


async def test_placed_again_by_the_same_it_goes_on_with_the_new_reason(database: Database) -> None:
    holds = HoldList(database, Published())
    first = await holds.place("topic:news", "a", Holder.OPERATOR)
    again = await holds.place("topic:news", "b", Holder.OPERATOR, until=first.since + 60)
    assert (again.id, again.since, again.reason, again.until) == (first.id, first.since, "b", first.since + 60)
    assert holds.active == [again]


async def test_a_hold_for_a_while_does_not_last_as_long_as_a_clock_was_ahead(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    holds = HoldList(database, Published())
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: real() + 86_400)
        await holds.place("tenant:acme", "", Holder.SES, until=time.time() + 60)
        await holds.place("topic:news", "", Holder.CANARY, until=time.time() + 600)
        await holds.place("topic:news", "until tomorrow", Holder.OPERATOR, until=time.time() + 60)
        await holds.place("tenant:other", "until it is ended", Holder.SES)
    async with supervised(Service("holds", holds.run)):
        await until(lambda: len(holds.active) == 2)
    assert [hold.holder for hold in holds.active] == [Holder.OPERATOR, Holder.SES]


async def test_a_hold_ends_when_its_time_is_over(database: Database) -> None:
    known, ended = Published(), list[Hold]()
    holds = HoldList(database, known)
    holds.on_end(ended.append)
    await holds.place("topic:news", "", Holder.CANARY, until=time.time())
    await holds.place("topic:other", "", Holder.CANARY, until=time.time() + 600)
    async with supervised(Service("holds", holds.run)):
        await until(lambda: len(ended) == 1)
    assert known.keys == {"topic:other": False}
    rows = await database.fetch("SELECT key, ended_by FROM holds WHERE ended_at IS NOT NULL")
    assert [tuple(row) for row in rows] == [("topic:news", "time")]


async def test_all_keys_together_stay_small_enough_for_one_message(database: Database) -> None:
    holds = HoldList(database, Published())
    with pytest.raises(TooManyHoldsError):
        await holds.place("topic:" + "x" * 600_000, "", Holder.CANARY)
    assert holds.active == []


async def test_its_beginning_and_its_end_are_events(database: Database) -> None:
    await record(database)
    holds = HoldList(database, Published())
    await holds.place("topic:news", "why", Holder.BREAKER)
    await holds.place("topic:news", "why", Holder.BREAKER)
    await holds.resume("topic:news", by="operator")
    rows: list[Any] = await database.fetch("SELECT type, scope, reason FROM outbox")
    assert [tuple(row) for row in rows] == [("held", "topic:news", "why"), ("resumed", "topic:news", "why")]


async def test_the_undecided_are_those_that_somebody_has_to_end(database: Database) -> None:
    holds = HoldList(database, Published())
    await holds.place("topic:first", "", Holder.OPERATOR)
    await holds.place("topic:tried", "", Holder.CANARY)
    await holds.place("tenant:refused", "", Holder.SES)
    await holds.place("topic:bad", "", Holder.BREAKER)
    await holds.place("topic:second", "", Holder.OPERATOR)
    first, number = holds.undecided(3)
    assert ([hold.key for hold in first], number) == (["topic:bad", "tenant:refused", "topic:second"], 4)
