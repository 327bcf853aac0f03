"""Looks for mail whose hold is over: none while nothing can have changed, one after whatever was written."""

from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold import Holder
from email_consumer.holds.hold_list import HoldList
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.store.database import Database
from tests.factories import ORIGIN, mail


async def test_the_file_is_asked_again_only_after_a_write(database: Database) -> None:
    held, asked = HeldMail(database, HoldList(database, lambda _: None), lambda: None), list[str]()
    assert await held.release() == 0
    await database.reader.set_trace_callback(asked.append)
    assert await held.release() == 0
    assert asked == []
    async with database.transaction():
        pass
    assert await held.release() == 0
    assert asked


async def test_mail_that_comes_after_its_hold_has_ended_is_released(database: Database) -> None:
    held = HeldMail(database, HoldList(database, lambda _: None), lambda: None)
    assert await held.release() == 0
    ledger = SqliteLedger(database, lambda *_: None, Policy(3600, "resend", 0, 3))
    async with ledger.running():
        await ledger.schedule(mail("u-1"), ORIGIN, "topic:news")
    assert await held.release() == 1


async def test_it_is_looked_again_as_long_as_mail_waits(database: Database) -> None:
    holds, asked = HoldList(database, lambda _: None), list[str]()
    held = HeldMail(database, holds, lambda: None)
    ledger = SqliteLedger(database, lambda *_: None, Policy(3600, "resend", 0, 3))
    async with ledger.running():
        await ledger.schedule(mail("u-1"), ORIGIN, "topic:news")
    await holds.place("topic:news", "", Holder.OPERATOR)
    assert await held.release() == 0
    await database.reader.set_trace_callback(asked.append)
    assert await held.release() == 0
    assert asked
