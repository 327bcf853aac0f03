"""Stored mail is published with its own content, and what is remembered of contents stays small."""

import asyncio
import gc
import time

import pytest

from email_consumer.core.outcome import Sent
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.keys import TURN
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.content import Content
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, decode
from email_consumer.scheduling import due_mail
from email_consumer.scheduling.deferred import Deferred, Excluded, StoredContent
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.store.database import Database
from email_consumer.store.retention import Retention
from email_consumer.store.status import Status
from tests.factories import ORIGIN, mail


def ledger_of(database: Database) -> SqliteLedger:
    return SqliteLedger(database, lambda *_: None, Policy(3600, "resend", 0, 3))


async def store(database: Database, ledger: SqliteLedger, *mails: EmailMessage) -> None:
    """As mail that is due now."""
    await asyncio.gather(*(ledger.schedule(each, ORIGIN, TURN) for each in mails))
    await HeldMail(database, HoldList(database, lambda _: None), lambda: None).release()


async def publish(due: DueMail, limit: int) -> list[EmailMessage]:
    """What is in the queue then."""
    messages = (await due.take(Lane.BULK, limit)).messages
    await due.mark_published([(message.id, 1) for message in messages])
    return [decode(message.payload) for message in messages]


async def test_a_mail_never_has_the_content_of_one_that_was_deleted_before(database: Database) -> None:
    ledger, due = ledger_of(database), DueMail(database)
    async with ledger.running():
        for uuid in ("first", "second"):
            await store(database, ledger, mail(uuid, body=f"for {uuid} alone"))
            [message] = await publish(due, 10)
            assert message.body == f"for {uuid} alone"
            await ledger.claim(message, ORIGIN)
            await ledger.finish(message, Sent(f"ses-{uuid}"), ORIGIN)
            assert await Retention(database, keep=0.0).sweep(time.time() + 1) == 1  # its row ids are free again


async def test_a_mail_does_not_wait_for_a_refused_content_that_was_deleted_before(database: Database) -> None:
    ledger, due, refused = ledger_of(database), DueMail(database), Deferred[StoredContent]()
    async with ledger.running():
        await store(database, ledger, mail("first", body="too large"))
        [message] = (await due.take(Lane.BULK, 10)).messages
        refused.add(message.content, "too large", 600.0)
        await due.record_refusal(message.content, "not published: too large")
        assert [row["error"] for row in await database.fetch("SELECT error FROM email_requests")] == [
            "not published: too large"
        ]
        assert (await due.take(Lane.BULK, 10, Excluded(refused.current()))).messages == []
        assert await due.next_due(Lane.BULK, Excluded(refused.current())) is None
        await due.finish([(message.id, Status.STOPPED, "cancelled")])
        assert await Retention(database, keep=0.0).sweep(time.time() + 1) == 1  # its row ids are free again
        await store(database, ledger, mail("second", body="small"))
        await due.record_refusal(message.content, "not published: too large")
        [other] = (await due.take(Lane.BULK, 10, Excluded(refused.current()))).messages
        assert decode(other.payload).uuid == "second"
        assert await due.next_due(Lane.BULK, Excluded(refused.current())) is not None
        assert [row["error"] for row in await database.fetch("SELECT error FROM email_requests")] == [None]


async def test_no_more_large_mail_is_read_at_once_than_a_window_has_room_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_mail, "MAX_BYTES", 100_000)
    ledger, due = ledger_of(database), DueMail(database)
    async with ledger.running():
        await store(database, ledger, *(mail(f"m-{number}", body=f"{number:02}" * 10_000) for number in range(12)))
    assert [len(await publish(due, 250)) for _ in range(3)] == [5, 5, 2]


async def test_contents_are_not_remembered_without_end(database: Database) -> None:
    """Each counts as what it takes in memory, not as what its text takes."""
    ledger, due = ledger_of(database), DueMail(database)
    async with ledger.running():
        await store(
            database, ledger, *(mail(f"m-{number}", subject=f"remembered {number}", body="") for number in range(2_500))
        )
    published = 0
    while messages := await publish(due, 250):
        published += len(messages)
    assert published == 2_500
    contents = [each for each in gc.get_objects() if type(each) is Content]
    assert 0 < sum(each.subject.startswith("remembered") for each in contents) <= 2_000
