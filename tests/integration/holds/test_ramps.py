"""Ramps: exact limits of each day, through restarts, copies counted."""

from datetime import date, timedelta

import pytest

from email_consumer.core.ramps import DEFAULT_CURVE, RAMPED, Ramps
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.keys import ramp_key
from email_consumer.holds.ramp_release import RampRelease
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.lane import Lane
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.store.database import Database
from tests.factories import ORIGIN, mail

DOMAIN, FIRST = "news.example.com", date(2027, 1, 30)


async def store(database: Database, mails: int, key: str = ramp_key(DOMAIN), **fields: object) -> None:
    ledger = SqliteLedger(database, lambda *_: None, Policy(3600, "resend", 0, 3))
    async with ledger.running():
        for number in range(mails):
            await ledger.schedule(mail(f"u-{number}", **fields), ORIGIN, key)


async def test_each_day_lets_go_on_what_it_allows_through_restarts(database: Database) -> None:
    await store(database, 400)
    ramps = Ramps({DOMAIN: FIRST}, (50, 120, 60))
    for number, allowed in enumerate((50, 120, 60)):
        day, released = FIRST + timedelta(days=number), 0
        for _ in range(4):  # lives of the process
            released += await RampRelease(database, ramps).release(DOMAIN, day)
        assert released == allowed
        assert await RampRelease(database, ramps).released(DOMAIN, day) == allowed
    assert len((await DueMail(database).take(Lane.BULK, 1_000)).messages) == 230


async def test_copies_are_recipients_too(database: Database) -> None:
    await store(database, 100, cc=["b@example.com"], bcc=["c@example.com"])
    ramp = RampRelease(database, Ramps({DOMAIN: FIRST}, (50,)))
    assert await ramp.release(DOMAIN, FIRST) == 16
    assert await ramp.released(DOMAIN, FIRST) == 48


async def test_what_went_on_says_so_and_waits_again_if_it_is_held_meanwhile(database: Database) -> None:
    await store(database, 1)
    await RampRelease(database, Ramps({DOMAIN: FIRST}, (50,))).release(DOMAIN, FIRST)
    [message] = (await DueMail(database).take(Lane.BULK, 10)).messages
    assert message.headers[RAMPED] == "2027-01-30"
    await store(database, 1, "topic:news")
    await HeldMail(database, HoldList(database, lambda _: None), lambda: None).release()
    [message] = (await DueMail(database).take(Lane.BULK, 10)).messages
    assert RAMPED not in message.headers


async def test_after_the_ramp_everything_goes_on(database: Database) -> None:
    await store(database, 700)
    ramp = RampRelease(database, Ramps({DOMAIN: date(2020, 1, 1)}, (50,)))
    assert await HeldMail(database, HoldList(database, lambda _: None), lambda: None, ramp).release() == 700


@pytest.mark.parametrize(
    ("day", "limit"),
    [(-1, 0), (0, 50), (1, 100), (len(DEFAULT_CURVE) - 1, DEFAULT_CURVE[-1]), (len(DEFAULT_CURVE), None)],
)
def test_the_curve_has_a_beginning_and_an_end(day: int, limit: int | None) -> None:
    ramps = Ramps({DOMAIN: FIRST})
    assert ramps.limit(DOMAIN, FIRST + timedelta(days=day)) == limit
    assert ramps.limit("other.example.com", FIRST) is None
    assert ramps.ends(DOMAIN) == FIRST + timedelta(days=len(DEFAULT_CURVE))
