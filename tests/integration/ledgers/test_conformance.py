"""What every ledger promises."""

import time
from dataclasses import replace

import pytest

from email_consumer.core.ledger import Claim, Origin
from email_consumer.core.outcome import (
    Busy,
    Conflict,
    DeadLetterPending,
    Duplicate,
    Exhausted,
    Failed,
    Held,
    InDoubt,
    Interrupted,
    Outcome,
    Parked,
    Rejected,
    Scheduled,
    Sent,
    Stopped,
    StopReason,
    Throttled,
)
from email_consumer.ledgers.rule import MAYBE_SENT_BEFORE, Takeover
from email_consumer.runtime.clock import elapsed
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import Backend, policy

ROW = "SELECT * FROM email_requests WHERE uuid = 'u-1'"


async def test_a_sent_mail_is_a_duplicate_also_after_a_restart(backend: Backend) -> None:
    again = replace(ORIGIN, received=2)
    async with backend.open() as ledger:
        claim = await ledger.claim(mail(topic_id="t"), ORIGIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 1
        assert claim.deadline > elapsed()
        assert await ledger.claim(mail(topic_id="t"), ORIGIN) == Busy()
        await ledger.finish(mail(topic_id="t"), Sent("ses-1"), ORIGIN)
        assert ledger.known(mail()) == Duplicate()
    async with backend.open() as ledger:
        assert ledger.known(mail()) is None
        assert await ledger.claim(mail(topic_id="t"), again) == Duplicate()
    (row,) = await backend.query(ROW)
    assert (row["status"], row["message_id"], row["attempts"]) == (2, "ses-1", 1)
    assert [tuple(row) for row in await backend.query("SELECT status, count FROM topic_counts WHERE count > 0")] == [
        (2, 1)
    ]
    assert [tuple(row) for row in await backend.query("SELECT count FROM sent_minutes")] == [(1,)]


async def test_a_row_names_the_tenant(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ledger.claim(mail(tenant="acme"), ORIGIN)
        await ledger.finish(mail(tenant="acme"), Sent("ses-1"), ORIGIN)
        await ledger.finish(mail("u-2", tenant="acme"), Stopped(StopReason.CANCELLED), ORIGIN)
        await ledger.claim(mail("u-3"), ORIGIN)
        await ledger.finish(mail("u-3"), Sent("ses-3"), ORIGIN)
    rows = await backend.query("SELECT uuid, tenant FROM email_requests")
    assert {row["uuid"]: row["tenant"] for row in rows} == {"u-1": "acme", "u-2": "acme", "u-3": None}


async def test_a_failed_mail_that_is_published_for_another_tenant_is_its(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ledger.claim(mail(tenant="acme"), ORIGIN)
        await ledger.finish(mail(tenant="acme"), Rejected("no"), ORIGIN)
        assert isinstance(await ledger.claim(mail(tenant="umbrella"), ORIGIN), Claim)
        await ledger.finish(mail(tenant="umbrella"), Sent("ses-1"), ORIGIN)
    (row,) = await backend.query(ROW)
    assert row["tenant"] == "umbrella"


@pytest.mark.parametrize(("keep", "shown"), [(True, "Réf. " + "x" * 195), (False, None)])
async def test_a_row_repeats_the_start_of_the_subject_if_it_may(
    backend: Backend, keep: bool, shown: str | None
) -> None:
    long = "Réf. " + "x" * 500
    async with backend.open(keep_subjects=keep) as ledger:
        await ledger.claim(mail("sent", subject=long), ORIGIN)
        await ledger.finish(mail("sent", subject=long), Sent("ses-1"), ORIGIN)
        await ledger.finish(mail("stopped", subject=long), Stopped(StopReason.CANCELLED), ORIGIN)
    rows = await backend.query("SELECT uuid, subject FROM email_requests ORDER BY uuid")
    assert [tuple(row) for row in rows] == [("sent", shown), ("stopped", shown)]


async def test_failures_spend_attempts_and_throttles_do_not(backend: Backend) -> None:
    steps: list[tuple[Outcome, int]] = [
        (Failed("503"), 1),
        (Throttled("slow down"), 2),
        (Interrupted(), 2),
        (Failed("503"), 2),
        (Exhausted("503"), 3),
    ]
    async with backend.open() as ledger:
        for outcome, expected in steps:
            claim = await ledger.claim(mail(), ORIGIN)
            assert isinstance(claim, Claim)
            assert claim.attempt == expected
            await ledger.finish(mail(), outcome, ORIGIN)
        assert await ledger.claim(mail(), ORIGIN) == Duplicate()
    (row,) = await backend.query(ROW)
    assert (row["status"], row["attempts"], row["error"]) == (3, 3, "503")
    history = await backend.query("SELECT outcome FROM email_attempts ORDER BY id")
    assert [row["outcome"] for row in history] == ["failed", "failed", "exhausted"]


async def test_what_a_dead_process_had_claimed_is_in_doubt_then_resent(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
    async with backend.open(policy(grace=1000), after_crash=True) as ledger:
        assert isinstance(await ledger.claim(mail(), replace(ORIGIN, received=2)), InDoubt)
    (row,) = await backend.query(ROW)
    assert (row["status"], row["in_doubt"]) == (1, 1)
    async with backend.open(policy(grace=0), after_crash=True) as ledger:
        claim = await ledger.claim(mail(), ORIGIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 2


async def test_a_timed_out_attempt_is_in_doubt_until_the_grace_is_over(backend: Backend) -> None:
    async with backend.open(policy(grace=1000)) as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), InDoubt("read time-out"), ORIGIN)
        assert isinstance(await ledger.claim(mail(), ORIGIN), InDoubt)
    async with backend.open(policy(grace=0)) as ledger:
        ledger.events_expected_from(time.time() + 1000)
        assert isinstance(await ledger.claim(mail(), ORIGIN), InDoubt)
        ledger.events_expected_from(0)
        assert isinstance(await ledger.claim(mail(), ORIGIN), Claim)


async def test_the_grace_of_a_doubt_counts_from_its_beginning(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        answer_missing_at = time.time()
        await ledger.finish(mail(), InDoubt("read time-out"), ORIGIN)
    (row,) = await backend.query(ROW)
    assert row["claimed_at"] >= answer_missing_at


async def test_park_buries_what_stays_in_doubt(backend: Backend) -> None:
    async with backend.open(policy(in_doubt="park")) as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), InDoubt("read time-out"), ORIGIN)
        parked = await ledger.claim(mail(), ORIGIN)
        assert isinstance(parked, Parked)
        await ledger.finish(mail(), parked, ORIGIN)
        assert await ledger.claim(mail(), ORIGIN) == Duplicate()
    (row,) = await backend.query(ROW)
    assert row["status"] == 3


@pytest.mark.parametrize("verdict", [Rejected("no (such)\ndomain: x"), Exhausted("503")])
async def test_what_is_given_up_without_its_dead_letter_is_neither_failed_nor_sent_again(
    backend: Backend, verdict: Rejected | Exhausted
) -> None:
    async with backend.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Failed("503"), ORIGIN)
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), DeadLetterPending(verdict, 2), ORIGIN)
    async with backend.open() as ledger:
        again = replace(ORIGIN, received=3)
        assert ledger.known(mail()) is None
        assert await ledger.claim(mail(), again) == DeadLetterPending(verdict, 2)
        assert await ledger.claim(mail(), again) == DeadLetterPending(verdict, 2)
        assert isinstance(await ledger.claim(mail(email="b@example.com"), again), Conflict)
        (row,) = await backend.query(ROW)
        assert (row["status"], row["attempts"], row["finished_at"]) == (0, 2, None)
        assert verdict.reason in row["error"]
        await ledger.finish(mail(), verdict, again)
        assert await ledger.claim(mail(), again) == Duplicate()
    (row,) = await backend.query(ROW)
    assert (row["status"], row["attempts"], row["error"]) == (3, 2, verdict.reason)
    remarks = [row["outcome"] for row in await backend.query("SELECT outcome FROM email_attempts ORDER BY id")]
    assert remarks == ["failed", type(verdict).__name__.lower()]


async def test_what_has_no_dead_letter_yet_is_tried_again_with_another_content(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), DeadLetterPending(Rejected("no"), 1), ORIGIN)
        claim = await ledger.claim(mail(body="put right"), ORIGIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 1
        await ledger.finish(mail(body="put right"), Sent("ses-1"), ORIGIN)
        assert await ledger.claim(mail(), ORIGIN) == Duplicate(changed=True)


async def test_a_replayed_dead_letter_reopens_its_uuid_once(backend: Backend) -> None:
    replay = Origin("nats", "messages:2", 2, 0.0, replay_of="messages-dead:1")
    async with backend.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Rejected("no"), ORIGIN)
        claim = await ledger.claim(mail(), replay)
        assert isinstance(claim, Claim)
        assert claim.attempt == 1
        await ledger.finish(mail(), Rejected("no"), replay)
        assert await ledger.claim(mail(), replay) == Duplicate()
    (row,) = await backend.query(ROW)
    assert (row["status"], row["attempts"], row["replay_of"]) == (3, 1, "messages-dead:1")


async def test_an_expired_uuid_gets_a_new_row_and_keeps_the_old_one(backend: Backend) -> None:
    async with backend.open(policy(ttl=0)) as ledger:
        for message_id in ("ses-1", "ses-2"):
            newer = replace(ORIGIN, stored_at=time.time())
            assert isinstance(await ledger.claim(mail(topic_id="t"), newer), Claim)
            await ledger.finish(mail(topic_id="t"), Sent(message_id), newer)
            assert await ledger.claim(mail(topic_id="t"), newer) == Duplicate()
    rows = await backend.query("SELECT message_id FROM email_requests ORDER BY id")
    assert [row["message_id"] for row in rows] == ["ses-1", "ses-2"]
    counts = await backend.query("SELECT status, count FROM topic_counts WHERE count > 0")
    assert [tuple(row) for row in counts] == [(2, 2)]


async def test_no_uuid_gets_in_the_way_of_a_former_life_of_another(backend: Backend) -> None:
    """`order` is retired while `order#1` is a mail as well: its row must find a name that nobody can choose."""
    async with backend.open(policy(ttl=0)) as ledger:

        async def send(uuid: str) -> None:
            newer = replace(ORIGIN, stored_at=time.time())
            assert isinstance(await ledger.claim(mail(uuid), newer), Claim)
            await ledger.finish(mail(uuid), Sent(f"ses-{uuid}"), newer)

        for uuid in ("order", "order#1", "order#2", "order", "order#3", "order#4", "order"):
            await send(uuid)
    rows = await backend.query("SELECT uuid, id FROM email_requests WHERE message_id = 'ses-order' ORDER BY id")
    former, present = rows[:-1], rows[-1]
    assert [row["uuid"] for row in former] == [f"order\0{row['id']}" for row in former]
    assert (len(former), present["uuid"]) == (2, "order")


async def test_what_another_ledger_delivered_is_in_doubt(backend: Backend) -> None:
    takeover = Takeover(sequence=1, since=time.time() - 500)
    async with backend.open(policy(grace=1000), takeover=takeover) as ledger:
        assert isinstance(await ledger.claim(mail(), replace(ORIGIN, received=2)), InDoubt)
        assert isinstance(await ledger.claim(mail("new"), replace(ORIGIN, sequence=2, received=2)), Claim)
    async with backend.open(policy(grace=400), takeover=takeover) as ledger:
        ledger.events_expected_from(0)
        assert isinstance(await ledger.claim(mail(), replace(ORIGIN, received=3)), Claim)


@pytest.mark.parametrize("ended", [Interrupted(), Failed("503")])
async def test_what_was_given_back_before_another_ledger_had_it_is_in_doubt(backend: Backend, ended: Outcome) -> None:
    """Found by `./run.sh simulate --scenario takeover`: a process whose lease had lapsed claimed the mail and gave it back."""
    again = replace(ORIGIN, received=2)
    async with backend.open(policy(grace=0)) as ledger:
        assert isinstance(await ledger.claim(mail(), ORIGIN), Claim)
        await ledger.finish(mail(), ended, ORIGIN)
    takeover = Takeover(sequence=1, since=time.time())
    async with backend.open(policy(grace=1000), takeover=takeover) as ledger:
        assert await ledger.claim(mail(), again) == MAYBE_SENT_BEFORE
        assert isinstance(await ledger.claim(mail(), again), InDoubt)
    async with backend.open(policy(grace=0), takeover=replace(takeover, since=0.0)) as ledger:
        claim = await ledger.claim(mail(), again)
        assert isinstance(claim, Claim)
        assert claim.attempt == 2 + isinstance(ended, Failed)


@pytest.mark.parametrize("uuid", ["ü" * 200, "with space", "a.b*>"])
async def test_any_uuid_will_do(backend: Backend, uuid: str) -> None:
    async with backend.open() as ledger:
        assert isinstance(await ledger.claim(mail(uuid), ORIGIN), Claim)
        await ledger.finish(mail(uuid), Sent("ses-1"), ORIGIN)
        assert await ledger.claim(mail(uuid), ORIGIN) == Duplicate()
    (row,) = await backend.query("SELECT * FROM email_requests")
    assert row["uuid"] == uuid


async def test_a_mail_is_scheduled_once(backend: Backend) -> None:
    later = mail(scheduled_at="2099-01-01T00:00:00Z")
    async with backend.open() as ledger:
        assert await ledger.schedule(later, ORIGIN) == Scheduled()
        assert await ledger.schedule(later, replace(ORIGIN, reference="messages:2")) == Duplicate()


@pytest.mark.parametrize("outcome", [Held("no connection to SES"), Failed("500"), InDoubt("cut")])
async def test_a_retry_that_is_not_due_any_more_keeps_its_only_copy(backend: Backend, outcome: Outcome) -> None:
    """Its time had come by another worker's clock, or by this one's before it was set back. Settled, it would be lost."""
    later = mail(scheduled_at="2099-01-01T00:00:00Z")
    async with backend.open() as ledger:
        assert isinstance(await ledger.claim(later, ORIGIN), Claim)
        assert await ledger.schedule(later, ORIGIN) == Busy()
        await ledger.finish(later, outcome, ORIGIN)
        assert await ledger.schedule(later, replace(ORIGIN, received=2)) == Busy()
        claim = await ledger.claim(later, replace(ORIGIN, received=3))
        assert isinstance(claim, Claim)
        assert claim.attempt == (1 if isinstance(outcome, Held) else 2)
