"""Tenants take turns when stored mail is published, whatever their backlogs."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from email_consumer.holds.active_holds import ActiveHolds
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.keys import TURN
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.lane import Lane
from email_consumer.message.model import decode
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.store.database import Database
from tests.factories import ORIGIN, mail


async def store(database: Database, backlogs: Mapping[str | None, int], **fields: object) -> None:
    """Mail over its tenants' shares, one backlog after another, as workers move it into the store."""
    ledger = SqliteLedger(database, lambda *_: None, Policy(3600, "resend", 0, 3))
    async with ledger.running():
        for tenant, mails in backlogs.items():
            for number in range(mails):
                message = mail(f"{tenant}-{number}", **({"tenant": tenant} if tenant else {}), **fields)
                await ledger.schedule(message, ORIGIN, None if "scheduled_at" in fields else TURN)
    await HeldMail(database, HoldList(database, lambda _: None), lambda: None).release()


async def take(due: DueMail, limit: int, lane: Lane = Lane.BULK) -> Counter[str | None]:
    """The tenants of what is published next, which is then on its way."""
    messages = (await due.take(lane, limit)).messages
    await due.mark_published([(message.id, number) for number, message in enumerate(messages, 1)])
    return Counter(decode(message.payload).tenant for message in messages)


async def test_each_tenant_gets_the_same_share_until_it_has_no_more(database: Database) -> None:
    await store(database, {"big": 100, None: 50, "small": 5})
    due = DueMail(database)
    assert await take(due, 30) == {None: 10, "big": 10, "small": 5}
    assert await take(due, 30) == {None: 15, "big": 15}


async def test_a_small_backlog_is_through_within_its_fair_share(database: Database) -> None:
    await store(database, {f"t-{number:02}": 5 if number % 5 == 0 else 40 for number in range(30)})
    due, taken = DueMail(database), Counter[str | None]()
    for _ in range(15):  # of ten: five turns of thirty tenants
        taken += await take(due, 10)
    assert set(taken.values()) == {5}


async def test_there_may_be_more_tenants_than_have_a_turn_in_one_round(database: Database) -> None:
    await store(database, {f"t-{number:03}": 2 for number in range(60)})
    due, taken = DueMail(database), Counter[str | None]()
    for _ in range(6):
        taken += await take(due, 25)
    assert taken == {f"t-{number:03}": 2 for number in range(60)}


async def test_the_next_due_time_is_that_of_any_tenant(database: Database) -> None:
    now = datetime.now(UTC)
    await store(database, {"a": 1}, scheduled_at=(now + timedelta(hours=2)).isoformat())
    await store(database, {"b": 1}, scheduled_at=(now + timedelta(hours=1)).isoformat())
    due = DueMail(database)
    next_due = await due.next_due(Lane.BULK)
    assert next_due is not None
    assert abs(next_due - (now + timedelta(hours=1)).timestamp()) < 1
    assert await due.next_due(Lane.TRANSACTIONAL) is None
    assert await take(due, 10) == {}


async def test_what_is_held_is_not_published_and_keeps_nobody_waiting(database: Database) -> None:
    await store(database, {None: 30}, topic_id="held")
    await store(database, {"acme": 2}, topic_id="free")
    active = ActiveHolds()
    due, taken = DueMail(database, active), Counter[str | None]()
    active.replace({"topic:held": False})  # as while it runs
    for _ in range(4):
        taken += await take(due, 10)
    assert taken == {"acme": 2}
    assert await due.next_due(Lane.BULK) is None
    rows = await database.fetch("SELECT held_by, count(*) FROM email_requests GROUP BY held_by ORDER BY 1")
    assert [tuple(row) for row in rows] == [(None, 2), ("topic:held", 30)]
    active.replace({})
    await HeldMail(database, HoldList(database, lambda _: None), lambda: None).release()
    assert await take(due, 100) == {None: 30}
