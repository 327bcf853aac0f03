"""What each outcome and event makes of a mail's record."""

from dataclasses import replace

import pytest

from email_consumer.core.outcome import (
    Exhausted,
    Failed,
    Held,
    InDoubt,
    Interrupted,
    Outcome,
    Parked,
    Rejected,
    Sent,
    Stopped,
    StopReason,
    TenantRefused,
    Throttled,
)
from email_consumer.ledgers.jetstream.record import BucketEntry, ClaimRecord
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.store.status import Status

FINGERPRINT = Fingerprint(1, 2)
NOW = 1000.0
LEASE = 60.0
CLAIM = ClaimRecord(Status.PROCESSED, "w-1", attempts=1, claimed_at=990.0, life=5)
HELD = BucketEntry(CLAIM, 7, NOW - 1)
TAKEN_OVER = BucketEntry(replace(CLAIM, claim="w-2"), 9, NOW)
FINISHED = {
    status: BucketEntry(replace(CLAIM, status=status, claim="w-2"), 9, NOW)
    for status in (Status.SENT, Status.FAILED, Status.STOPPED)
}
UNSENT: list[Outcome] = [
    Failed("r"),
    Throttled("r"),
    Held("r"),
    TenantRefused("acme", "r"),
    Interrupted(),
    InDoubt("r"),
    Rejected("r"),
    Exhausted("r"),
]


@pytest.mark.parametrize(
    "record",
    [
        ClaimRecord(Status.CREATED),
        CLAIM,
        ClaimRecord(
            Status.SENT, "w-1", 2, in_doubt=True, claimed_at=1.5, finished_at=2.25, message_id="m", error="é", life=9
        ),
    ],
)
def test_a_record_survives_the_bucket(record: ClaimRecord) -> None:
    assert ClaimRecord.decode(record.encode()) == record


def test_what_a_newer_program_adds_is_ignored() -> None:
    assert ClaimRecord.decode(b'{"status":2,"colour":"red"}') == ClaimRecord(Status.SENT)


def test_a_claim_is_in_doubt_when_its_lease_is_over() -> None:
    early = BucketEntry(CLAIM, 7, NOW - LEASE + 0.1).known(LEASE, NOW)
    late = BucketEntry(CLAIM, 7, NOW - LEASE).known(LEASE, NOW)
    assert early is not None
    assert late is not None
    assert (early.in_doubt, late.in_doubt, late.claimed_at) == (False, True, NOW - LEASE)


def test_a_written_doubt_keeps_the_moment_of_the_claim() -> None:
    doubted = BucketEntry(CLAIM, 7, NOW - LEASE).doubted()
    known = BucketEntry(doubted, 8, NOW).known(LEASE, NOW)
    assert known is not None
    assert (known.in_doubt, known.claimed_at) == (True, NOW - LEASE)


def test_nothing_known_has_no_state() -> None:
    assert BucketEntry().known(LEASE, NOW) is None


@pytest.mark.parametrize("outcome", [*UNSENT, Sent("ses-1")])
def test_the_holder_has_its_say(outcome: Outcome) -> None:
    assert HELD.finished(HELD, FINGERPRINT, outcome, NOW) is not None


@pytest.mark.parametrize("outcome", UNSENT)
@pytest.mark.parametrize("found", [TAKEN_OVER, *FINISHED.values()])
def test_a_former_holder_changes_nothing(found: BucketEntry, outcome: Outcome) -> None:
    assert found.finished(HELD, FINGERPRINT, outcome, NOW) is None


@pytest.mark.parametrize("found", [TAKEN_OVER, FINISHED[Status.FAILED], FINISHED[Status.STOPPED]])
def test_sent_wins_over_all(found: BucketEntry) -> None:
    record = found.finished(HELD, FINGERPRINT, Sent("ses-1"), NOW)
    assert record is not None
    assert (record.status, record.message_id, record.finished_at, record.life) == (Status.SENT, "ses-1", NOW, 5)


def test_an_attempt_that_was_stopped_and_had_been_sent_counts_once() -> None:
    stopped = HELD.finished(None, FINGERPRINT, Stopped(StopReason.CANCELLED), NOW)
    record = BucketEntry(stopped, 8).finished(HELD, FINGERPRINT, Sent("ses-1"), NOW)
    assert record is not None
    assert (record.status, record.attempts) == (Status.SENT, CLAIM.attempts + 1)


@pytest.mark.parametrize("outcome", [Stopped(StopReason.CANCELLED), Parked("r")])
def test_what_is_stopped_or_parked_need_not_be_claimed(outcome: Outcome) -> None:
    assert TAKEN_OVER.finished(None, FINGERPRINT, outcome, NOW) is not None
    assert BucketEntry().finished(None, FINGERPRINT, outcome, NOW) is not None
    assert all(found.finished(None, FINGERPRINT, outcome, NOW) is None for found in FINISHED.values())


def test_a_record_that_vanished_is_made_from_the_claim() -> None:
    record = BucketEntry().finished(HELD, FINGERPRINT, Failed("503"), NOW)
    assert record == ClaimRecord(
        Status.CREATED, "w-1", attempts=2, claimed_at=990.0, error="503", remark="failed", life=5
    )


def test_the_first_outcome_shows_when_the_life_of_the_uuid_began() -> None:
    fresh = BucketEntry(replace(CLAIM, life=0), 7)
    record = fresh.finished(fresh, FINGERPRINT, Failed("503"), NOW)
    assert record is not None
    assert record.life == 7


def test_a_long_reason_is_cut() -> None:
    record = HELD.finished(HELD, FINGERPRINT, Rejected("x" * 100_000), NOW)
    assert record is not None
    assert len(record.error or "") == 500


@pytest.mark.parametrize(
    ("status", "attempts"), [(Status.CREATED, 1), (Status.PROCESSED, 2), (Status.FAILED, 1), (Status.STOPPED, 1)]
)
def test_an_event_settles_what_is_not_sent(status: Status, attempts: int) -> None:
    record = BucketEntry(replace(CLAIM, status=status, in_doubt=True, error="r"), 7).sent("ses-1", NOW)
    assert record == replace(
        CLAIM, status=Status.SENT, attempts=attempts, message_id="ses-1", finished_at=NOW, error=None
    )


def test_an_event_may_be_the_first_that_is_known() -> None:
    record = ClaimRecord(Status.SENT, attempts=1, message_id="ses-1", finished_at=NOW)
    assert BucketEntry().sent("ses-1", NOW) == record
    assert BucketEntry(record, 7).sent("ses-1", NOW) is None


def test_a_record_knows_what_its_uuid_stands_for() -> None:
    stopped = BucketEntry().finished(None, FINGERPRINT, Stopped(StopReason.SUPPRESSED, "hard bounce"), NOW)
    assert stopped is not None
    known = BucketEntry(stopped, 7, NOW).known(LEASE, NOW)
    assert known is not None
    assert (known.recipients, known.content, known.suppressed) == (*FINGERPRINT, True)


def test_what_was_parked_may_have_been_sent_and_forgets_what_it_said() -> None:
    held = BucketEntry(replace(CLAIM, recipients=1, content=2, in_doubt=True), 7, NOW)
    parked, rejected = (held.finished(held, FINGERPRINT, outcome, NOW) for outcome in (Parked("r"), Rejected("r")))
    assert parked is not None
    assert rejected is not None
    assert (parked.recipients, parked.content, rejected.content) == (1, None, 2)
