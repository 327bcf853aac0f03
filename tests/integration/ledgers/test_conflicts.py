"""A uuid that comes again for other recipients, or with another content: what every ledger makes of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from email_consumer.core.ledger import Claim, Ledger
from email_consumer.core.outcome import (
    Busy,
    Conflict,
    Duplicate,
    Failed,
    InDoubt,
    Outcome,
    Parked,
    Rejected,
    Scheduled,
    Sent,
    Stopped,
    StopReason,
)
from email_consumer.ledgers.rule import CONFLICT, Takeover
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import Backend, policy

AGAIN = replace(ORIGIN, reference="messages:2", sequence=2)
OTHERS = mail(email="b@example.com")
LATER = {"scheduled_at": "2099-01-01T00:00:00Z"}
ROW = "SELECT * FROM email_requests WHERE uuid = 'u-1'"


def ended_by(outcome: Outcome) -> Callable[[Ledger], Awaitable[None]]:
    async def end(ledger: Ledger) -> None:
        if not isinstance(outcome, Stopped):
            await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), outcome, ORIGIN)

    return end


async def claimed(ledger: Ledger) -> None:
    assert isinstance(await ledger.claim(mail(), ORIGIN), Claim)


async def scheduled(ledger: Ledger) -> None:
    assert await ledger.schedule(mail(**LATER), ORIGIN) == Scheduled()


@pytest.mark.parametrize(
    "stand",
    [
        ended_by(Sent("ses-1")),
        ended_by(Stopped(StopReason.CANCELLED)),
        ended_by(Stopped(StopReason.SUPPRESSED, "hard bounce")),
        ended_by(Failed("503")),
        ended_by(InDoubt("read time-out")),
        claimed,
        scheduled,
    ],
    ids=["sent", "cancelled", "suppressed", "released", "in doubt", "claimed", "scheduled"],
)
async def test_a_uuid_stands_for_its_recipients(backend: Backend, stand: Callable[[Ledger], Awaitable[None]]) -> None:
    async with backend.open(policy(grace=1000)) as ledger:
        await stand(ledger)
    async with backend.open(policy(grace=1000)) as ledger:  # nothing is known from memory
        before = [tuple(row) for row in await backend.query(ROW)]
        assert await ledger.claim(OTHERS, AGAIN) == CONFLICT
        assert await ledger.schedule(mail(email="b@example.com", **LATER), AGAIN) == CONFLICT
        await ledger.finish(OTHERS, CONFLICT, AGAIN)
        assert [tuple(row) for row in await backend.query(ROW)] == before
        assert not isinstance(await ledger.claim(mail(), AGAIN), Conflict)


async def test_what_another_ledger_may_have_sent_stands_for_its_recipients_too(backend: Backend) -> None:
    takeover = Takeover(sequence=1, since=time.time())
    async with backend.open(policy(grace=1000), takeover=takeover) as ledger:
        assert isinstance(await ledger.claim(mail(), replace(ORIGIN, received=2)), InDoubt)
        assert await ledger.claim(OTHERS, AGAIN) == CONFLICT


async def test_memory_distinguishes_a_conflict_from_a_duplicate(backend: Backend) -> None:
    async with backend.open() as ledger:
        assert ledger.known(mail()) is None
        await ended_by(Sent("ses-1"))(ledger)
        assert ledger.known(mail()) == Duplicate()
        assert ledger.known(mail(body="rendered again")) == Duplicate(changed=True)
        assert ledger.known(OTHERS) == CONFLICT


async def test_a_conflict_is_in_the_history_of_the_mail_that_was_first(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ended_by(Sent("ses-1"))(ledger)
        await ledger.finish(OTHERS, CONFLICT, AGAIN)
    (row,) = await backend.query("SELECT uuid, email, outcome, reason FROM email_requests JOIN email_attempts")
    assert tuple(row) == ("u-1", "a@example.com", "conflict", CONFLICT.reason)


async def test_another_content_for_the_same_recipients_is_a_duplicate(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ended_by(Sent("ses-1"))(ledger)
        assert await ledger.claim(mail(email="A@example.com"), AGAIN) == Duplicate()
        assert await ledger.claim(mail(body="rendered again"), AGAIN) == Duplicate(changed=True)


async def test_what_failed_is_sent_once_it_is_put_right(backend: Backend) -> None:
    again = mail(email="a@example.org", topic_id="new")
    async with backend.open() as ledger:
        await ledger.claim(mail(topic_id="old"), ORIGIN)
        await ledger.finish(mail(topic_id="old"), Rejected("no such domain"), ORIGIN)
        assert await ledger.claim(mail(topic_id="old"), AGAIN) == Duplicate()
        claim = await ledger.claim(again, AGAIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 1
        assert await ledger.claim(again, AGAIN) == Busy()
        await ledger.finish(again, Sent("ses-1"), AGAIN)
        assert await ledger.claim(mail(topic_id="old"), ORIGIN) == CONFLICT  # its term got lost
    rows = await backend.query("SELECT email, topic_id, status FROM email_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("a@example.com", "old", 3), ("a@example.org", "new", 2)]
    counts = await backend.query("SELECT topic_id, status FROM topic_counts WHERE count = 1 ORDER BY status")
    assert [tuple(row) for row in counts] == [("new", 2), ("old", 3)]


async def test_what_was_parked_is_not_sent_because_it_changed(backend: Backend) -> None:
    async with backend.open(policy(in_doubt="park")) as ledger:
        await ended_by(InDoubt("read time-out"))(ledger)
        parked = await ledger.claim(mail(), ORIGIN)
        assert isinstance(parked, Parked)
        await ledger.finish(mail(), parked, ORIGIN)
        assert await ledger.claim(mail(body="rendered again"), AGAIN) == Duplicate()
        assert await ledger.claim(OTHERS, AGAIN) == CONFLICT


async def test_what_a_suppression_stopped_is_sent_once_that_is_removed(backend: Backend) -> None:
    stopped = Stopped(StopReason.SUPPRESSED, "hard bounce")
    async with backend.open(stopped=stopped) as ledger:
        for _ in range(2):
            assert await ledger.claim(mail(), ORIGIN) == stopped
            await ledger.finish(mail(), stopped, ORIGIN)
        assert await ledger.schedule(mail(**LATER), ORIGIN) == stopped
    async with backend.open() as ledger:
        assert isinstance(await ledger.claim(mail(), AGAIN), Claim)
        await ledger.finish(mail(), Sent("ses-1"), AGAIN)
    rows = await backend.query("SELECT status FROM email_requests ORDER BY id")
    assert [row["status"] for row in rows] == [4, 2]


async def test_what_failed_may_be_scheduled_once_it_is_put_right(backend: Backend) -> None:
    again = mail(body="put right", **LATER)
    async with backend.open() as ledger:
        await ended_by(Rejected("no"))(ledger)
        assert await ledger.schedule(again, AGAIN) == Scheduled()
        assert await ledger.claim(OTHERS, AGAIN) == CONFLICT
        assert isinstance(await ledger.claim(again, AGAIN), Claim)


async def test_a_replay_may_be_due_later(backend: Backend) -> None:
    replay = replace(AGAIN, replay_of="messages-dead:1")
    async with backend.open() as ledger:
        await ended_by(Rejected("no"))(ledger)
        assert await ledger.schedule(mail(**LATER), replay) == Scheduled()


async def test_after_its_window_a_uuid_stands_for_nobody(backend: Backend) -> None:
    async with backend.open(policy(ttl=0)) as ledger:
        await ended_by(Sent("ses-1"))(ledger)
        newer = replace(AGAIN, stored_at=time.time() + 1)
        assert isinstance(await ledger.claim(OTHERS, newer), Claim)


async def test_of_two_at_once_one_is_a_conflict(backend: Backend) -> None:
    async with backend.open() as ledger:
        answers = await asyncio.gather(ledger.claim(mail(), ORIGIN), ledger.claim(OTHERS, AGAIN))
        assert sorted(type(answer).__name__ for answer in answers) == ["Claim", "Conflict"]
