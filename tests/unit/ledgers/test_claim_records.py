"""Records of claims, of scheduled mail, and of mail whose dead letter or suppression decides what comes next."""

from dataclasses import replace

import pytest

from email_consumer.core.ledger import Origin
from email_consumer.core.outcome import Busy, DeadLetterPending, Failed, Outcome, Rejected, Sent, StopReason, Throttled
from email_consumer.ledgers.jetstream.record import BucketEntry, ClaimRecord, claimed, doubted, takes_over, waiting
from email_consumer.ledgers.row_changes import row_change
from email_consumer.ledgers.rule import MAYBE_SENT_BEFORE, Granted, Step
from email_consumer.store.status import Status
from tests.factories import mail

MAIL = mail()
NOW = 1000.0
ORIGIN = Origin("nats", "messages:9", 9, stored_at=NOW, replay_of="messages-dead:3")
HELD = BucketEntry(ClaimRecord(Status.PROCESSED, "w-1", attempts=1, claimed_at=990.0), 7, NOW)
SUPPRESSED = ClaimRecord(Status.STOPPED, "w-0", attempts=1, error=f"{StopReason.SUPPRESSED}: hard bounce")


@pytest.mark.parametrize("found", [BucketEntry(), HELD])
@pytest.mark.parametrize("step", [Step.INSERT, Step.RENEW])
def test_a_mail_that_is_new_to_its_uuid_begins_without_attempts(found: BucketEntry, step: Step) -> None:
    record = claimed(found, Granted(step, 0), "w-2", MAIL, ORIGIN)
    assert (record.status, record.claim, record.attempts, record.life) == (Status.PROCESSED, "w-2", 0, 0)
    assert (record.recipients, record.content) == MAIL.fingerprint
    assert record.replay_of == ORIGIN.replay_of
    assert record.claimed_at > 0


def test_a_mail_that_is_claimed_again_keeps_its_attempts_its_life_and_its_replay() -> None:
    found = BucketEntry(ClaimRecord(Status.CREATED, replay_of="messages-dead:2", life=5), 7, NOW)
    again = claimed(found, Granted(Step.RECLAIM, 3), "w-2", MAIL, replace(ORIGIN, replay_of=None))
    assert (again.attempts, again.life, again.replay_of) == (3, 5, "messages-dead:2")
    replayed = claimed(found, Granted(Step.RECLAIM, 3), "w-2", MAIL, ORIGIN)
    assert replayed.replay_of == "messages-dead:3"


def test_a_mail_whose_record_vanished_begins_a_new_one() -> None:
    assert claimed(BucketEntry(), Granted(Step.RECLAIM, 3), "w-2", MAIL, ORIGIN).attempts == 0


def test_scheduled_mail_is_named_after_its_delivery_and_begins_a_life_after_what_it_replaces() -> None:
    record = waiting(BucketEntry(), MAIL, ORIGIN)
    assert (record.status, record.claim, record.life) == (Status.CREATED, ORIGIN.reference, 0)
    assert (record.recipients, record.content) == MAIL.fingerprint
    assert record.kept
    assert waiting(HELD, MAIL, ORIGIN).life == HELD.revision + 1


def test_mail_that_waits_for_its_next_attempt_is_not_kept() -> None:
    assert not ClaimRecord(Status.CREATED, "w-1").kept
    assert not ClaimRecord(Status.PROCESSED, "messages:9").kept


@pytest.mark.parametrize(
    ("record", "replay_of", "takes"),
    [
        (ClaimRecord(Status.CREATED), "messages-dead:3", True),
        (ClaimRecord(Status.CREATED, replay_of="messages-dead:2"), "messages-dead:3", True),
        (ClaimRecord(Status.CREATED, replay_of="messages-dead:3"), "messages-dead:3", False),
        (ClaimRecord(Status.CREATED, replay_of="messages-dead:2"), None, False),
        (ClaimRecord(Status.CREATED), None, False),
        (ClaimRecord(Status.PROCESSED), "messages-dead:3", False),
    ],
)
def test_a_replay_takes_over_scheduled_mail_once(record: ClaimRecord, replay_of: str | None, takes: bool) -> None:
    assert takes_over(record, replace(ORIGIN, replay_of=replay_of)) is takes


def test_what_a_previous_ledger_may_have_sent_is_in_doubt_from_the_takeover_on() -> None:
    record = doubted(BucketEntry(), MAIL, since=900.0)
    assert (record.status, record.in_doubt, record.claimed_at) == (Status.PROCESSED, True, 900.0)
    assert (record.error, record.recipients, record.content) == (MAYBE_SENT_BEFORE.reason, *MAIL.fingerprint)
    released = ClaimRecord(Status.CREATED, "w-1", attempts=2, replay_of="dead:1")
    again = doubted(BucketEntry(released, 7), MAIL, since=900.0)
    assert again == replace(record, attempts=2, replay_of="dead:1", life=7)
    assert doubted(BucketEntry(replace(released, status=Status.SENT), 7), MAIL, since=900.0) == record, "another life"


def test_an_unreadable_record_may_have_said_that_the_mail_was_sent() -> None:
    record = ClaimRecord.unreadable(900.0)
    assert (record.status, record.in_doubt, record.claimed_at, record.readable) == (
        Status.PROCESSED,
        True,
        900.0,
        False,
    )
    assert SUPPRESSED.readable


def test_only_what_a_suppression_stopped_is_suppressed() -> None:
    assert SUPPRESSED.suppressed
    assert not replace(SUPPRESSED, error=f"{StopReason.CANCELLED}").suppressed
    assert not replace(SUPPRESSED, status=Status.FAILED).suppressed, "SES may begin its reason with any word"


def test_a_claim_remembers_the_suppressed_mail_that_it_replaced() -> None:
    assert HELD.renewing(BucketEntry()) == HELD
    assert HELD.renewing(BucketEntry(ClaimRecord(Status.FAILED), 6)) == HELD
    assert HELD.renewing(BucketEntry(SUPPRESSED, 6)).replaced == replace(SUPPRESSED, life=6)


@pytest.mark.parametrize(
    ("outcome", "again"), [(Throttled("slow down"), True), (Failed("503"), False), (Sent("ses-1"), False)]
)
def test_a_suppressed_mail_is_put_back_if_nothing_was_tried(outcome: Outcome, again: bool) -> None:
    held = HELD.renewing(BucketEntry(SUPPRESSED, 6))
    record = HELD.finished(held, MAIL.fingerprint, outcome, NOW)
    assert (record == replace(SUPPRESSED, life=6)) is again


def test_a_lost_claim_may_be_known_by_its_delivery_but_not_by_another_one() -> None:
    kept = BucketEntry(ClaimRecord(Status.PROCESSED, "messages:9"), 9, NOW)
    assert kept.finished(HELD, MAIL.fingerprint, Failed("503"), NOW, "messages:9") is not None
    assert kept.finished(HELD, MAIL.fingerprint, Failed("503"), NOW, "messages:8") is None


def test_what_was_given_up_fails_once_its_dead_letter_is_stored_and_counts_its_attempt_once() -> None:
    pending = HELD.finished(HELD, MAIL.fingerprint, DeadLetterPending(Rejected("bad address"), 2), NOW)
    assert pending is not None
    assert pending.dead_letter_pending == DeadLetterPending(Rejected("bad address"), pending.attempts)
    failed = BucketEntry(pending, 8).finished(None, MAIL.fingerprint, Rejected("bad address"), NOW)
    assert failed is not None
    assert (failed.status, failed.attempts) == (Status.FAILED, pending.attempts)


def test_an_outcome_that_is_not_recorded_is_a_bug() -> None:
    with pytest.raises(TypeError, match="is not recorded in the ledger"):
        row_change(Busy())
