"""The claim rule, case by case."""

from dataclasses import replace

import pytest

from email_consumer.claim import Origin
from email_consumer.ledger.decision import Granted, Known, Policy, Step, decide
from email_consumer.outcome import Busy, Duplicate, InDoubt, Parked
from email_consumer.store.status import Status

NOW = 1_000_000.0
RESEND = Policy(idempotency_ttl=86_400, in_doubt="resend", in_doubt_grace=120, max_attempts=3)
PARK = replace(RESEND, in_doubt="park")
IN_HAND = Known(Status.PROCESSED, attempts=0, in_doubt=False, claimed_at=NOW - 10, finished_at=0, replay_of=None)
IN_DOUBT = replace(IN_HAND, in_doubt=True)

NEW = Origin("nats", "messages:9", 9, stored_at=NOW)


def replay(letter: str) -> Origin:
    return replace(NEW, replay_of=letter)


def finished(status: Status, seconds_ago: float = 1.0) -> Known:
    return Known(status, 1, in_doubt=False, claimed_at=NOW - 2, finished_at=NOW - seconds_ago, replay_of=None)


def test_unknown_uuid_is_fresh() -> None:
    assert decide(None, NEW, RESEND, NOW, 0) == Granted(Step.INSERT, 0)


def test_released_uuid_goes_on_with_its_attempts() -> None:
    released = replace(IN_HAND, status=Status.CREATED, attempts=2)
    assert decide(released, NEW, RESEND, NOW, 0) == Granted(Step.RECLAIM, 2)


def test_what_is_in_hand_is_busy() -> None:
    assert decide(IN_HAND, NEW, RESEND, NOW, 0) == Busy()


@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED, Status.STOPPED])
def test_finished_uuid_is_a_duplicate_inside_the_window_only(status: Status) -> None:
    assert decide(finished(status, 86_399), NEW, RESEND, NOW, 0) == Duplicate()
    assert decide(finished(status, 86_401), NEW, RESEND, NOW, 0) == Granted(Step.RENEW, 0)


@pytest.mark.parametrize("skew", [-43_000.0, -120.0, 120.0, 43_000.0])
def test_the_sources_clock_may_differ_from_ours_by_half_the_window(skew: float) -> None:
    sent = finished(Status.SENT, 90_000)
    same = replace(NEW, stored_at=sent.finished_at - 1 + skew)
    published_again = replace(NEW, stored_at=sent.finished_at + 86_401 + skew)
    assert decide(sent, same, RESEND, NOW, 0) == Duplicate()
    assert decide(sent, published_again, RESEND, NOW, 0) == Granted(Step.RENEW, 0)


def test_replay_reopens_a_failed_uuid_once() -> None:
    failed = finished(Status.FAILED)
    assert decide(failed, replay("messages-dead:7"), RESEND, NOW, 0) == Granted(Step.RECLAIM, 0)
    assert (
        decide(replace(failed, replay_of="messages-dead:7"), replay("messages-dead:7"), RESEND, NOW, 0) == Duplicate()
    )
    assert decide(replace(failed, replay_of="messages-dead:7"), replay("messages-dead:8"), RESEND, NOW, 0) == Granted(
        Step.RECLAIM, 0
    )


@pytest.mark.parametrize("status", [Status.SENT, Status.STOPPED])
def test_replay_does_not_reopen_what_was_sent_or_stopped(status: Status) -> None:
    assert decide(finished(status), replay("messages-dead:7"), RESEND, NOW, 0) == Duplicate()


def test_in_doubt_waits_for_the_grace_counted_from_the_claim() -> None:
    assert isinstance(decide(replace(IN_DOUBT, claimed_at=NOW - 119), NEW, RESEND, NOW, 0), InDoubt)
    assert decide(replace(IN_DOUBT, claimed_at=NOW - 121), NEW, RESEND, NOW, 0) == Granted(Step.RECLAIM, 1)


def test_grace_begins_no_earlier_than_events_can_arrive() -> None:
    old = replace(IN_DOUBT, claimed_at=NOW - 10_000)
    assert isinstance(decide(old, NEW, RESEND, NOW, NOW - 100), InDoubt)
    assert decide(old, NEW, RESEND, NOW, NOW - 121) == Granted(Step.RECLAIM, 1)


def test_park_never_resends() -> None:
    assert isinstance(decide(replace(IN_DOUBT, claimed_at=NOW - 121), NEW, PARK, NOW, 0), Parked)


def test_doubt_spends_attempts_and_ends_in_the_dead_letters() -> None:
    often = replace(IN_DOUBT, claimed_at=NOW - 121, attempts=2)
    assert isinstance(decide(often, NEW, RESEND, NOW, 0), Parked)


@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED, Status.STOPPED])
def test_the_same_delivery_is_a_duplicate_however_late_it_comes_back(status: Status) -> None:
    again = replace(NEW, stored_at=NOW - 900_000)
    assert decide(finished(status, 800_000), again, RESEND, NOW, 0) == Duplicate()
