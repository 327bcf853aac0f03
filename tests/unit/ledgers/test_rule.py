"""The claim rule, case by case."""

from dataclasses import replace

import pytest

from email_consumer.core.ledger import Origin
from email_consumer.core.outcome import (
    Busy,
    DeadLetterPending,
    Duplicate,
    InDoubt,
    Parked,
    Rejected,
    Stopped,
    StopReason,
)
from email_consumer.ledgers.rule import (
    CONFLICT,
    Decision,
    Granted,
    Known,
    Policy,
    Step,
    Takeover,
    decide,
    duplicate_or_conflict,
    unless_stopped,
)
from email_consumer.message.model import EmailMessage
from email_consumer.store.status import Status
from tests.factories import mail

NOW = 1_000_000.0
RESEND = Policy(idempotency_ttl=86_400, in_doubt="resend", in_doubt_grace=120, max_attempts=3)
PARK = replace(RESEND, in_doubt="park")
CLAIMED = Known(Status.PROCESSED, attempts=0, in_doubt=False, claimed_at=NOW - 10, finished_at=0, replay_of=None)
IN_DOUBT = replace(CLAIMED, in_doubt=True)

MAIL = mail()
CHANGED = mail(body="rendered again")
OTHERS = mail(email="b@example.com")
NEW = Origin("nats", "messages:9", 9, stored_at=NOW)


def replay(letter: str) -> Origin:
    return replace(NEW, replay_of=letter)


def finished(status: Status, seconds_ago: float = 1.0) -> Known:
    return Known(status, 1, in_doubt=False, claimed_at=NOW - 2, finished_at=NOW - seconds_ago, replay_of=None)


def test_a_takeover_is_of_one_stream() -> None:
    takeover = Takeover(sequence=10, since=NOW, stream="s")
    again = replace(NEW, received=2, stream="s")
    assert takeover.covers(again)
    assert takeover.covers(replace(again, received=1)), "the consumer may have been deleted and created again"
    assert not takeover.covers(replace(again, sequence=0)), "its source keeps no order"
    assert takeover.covers(replace(again, sequence=10)), "the last one that was delivered"
    assert not takeover.covers(replace(again, sequence=11))
    assert not takeover.covers(replace(again, stream="made again")), "it counts from 1 again"
    assert takeover.covers(replace(again, stream=""))
    assert replace(takeover, stream="").covers(again)


TAKEOVER = Takeover(sequence=10, since=NOW - 50)


@pytest.mark.parametrize(
    ("known", "step", "spent"),
    [
        pytest.param(None, Step.INSERT, 0, id="unknown"),
        pytest.param(replace(CLAIMED, status=Status.CREATED, claimed_at=NOW - 51), Step.RECLAIM, 0, id="released"),
        pytest.param(replace(CLAIMED, status=Status.CREATED, claimed_at=0.0), Step.RECLAIM, 0, id="never claimed"),
        pytest.param(
            replace(finished(Status.SENT, 90_000), claimed_at=NOW - 90_001), Step.RENEW, 0, id="an earlier mail"
        ),
    ],
)
def test_what_was_known_before_a_takeover_does_not_count(known: Known | None, step: Step, spent: int) -> None:
    decision = decide(known, MAIL, NEW, RESEND, now=NOW, events_since=0, takeover=TAKEOVER)
    assert decision == Granted(step, spent, doubtful=True)
    assert unless_stopped(decision, Stopped(StopReason.CANCELLED)) == decision
    not_delivered = replace(TAKEOVER, sequence=8)
    assert decide(known, MAIL, NEW, RESEND, now=NOW, events_since=0, takeover=not_delivered) == Granted(step, spent)


def test_what_became_of_a_mail_since_a_takeover_is_known() -> None:
    released = replace(CLAIMED, status=Status.CREATED, attempts=1, claimed_at=NOW - 50)
    assert decide(released, MAIL, NEW, RESEND, now=NOW, events_since=0, takeover=TAKEOVER) == Granted(Step.RECLAIM, 1)
    sent = finished(Status.SENT, 60)
    assert decide(sent, MAIL, NEW, RESEND, now=NOW, events_since=0, takeover=TAKEOVER) == Duplicate()


def test_a_doubt_from_before_a_takeover_lasts_until_its_grace_is_over() -> None:
    old = replace(IN_DOUBT, claimed_at=NOW - 1_000)
    for ago, decision in ((119, InDoubt("waiting for an event from SES")), (121, Granted(Step.RECLAIM, 1))):
        takeover = replace(TAKEOVER, since=NOW - ago)
        assert decide(old, MAIL, NEW, RESEND, now=NOW, events_since=0, takeover=takeover) == decision


def test_unknown_uuid_is_fresh() -> None:
    assert decide(None, MAIL, NEW, RESEND, now=NOW, events_since=0) == Granted(Step.INSERT, 0)


def test_released_uuid_goes_on_with_its_attempts() -> None:
    released = replace(CLAIMED, status=Status.CREATED, attempts=2)
    assert decide(released, MAIL, NEW, RESEND, now=NOW, events_since=0) == Granted(Step.RECLAIM, 2)


def test_what_is_claimed_is_busy() -> None:
    assert decide(CLAIMED, MAIL, NEW, RESEND, now=NOW, events_since=0) == Busy()


@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED, Status.STOPPED])
def test_finished_uuid_is_a_duplicate_inside_the_window_only(status: Status) -> None:
    assert decide(finished(status, 86_399), MAIL, NEW, RESEND, now=NOW, events_since=0) == Duplicate()
    assert decide(finished(status, 86_401), MAIL, NEW, RESEND, now=NOW, events_since=0) == Granted(Step.RENEW, 0)


@pytest.mark.parametrize("skew", [-43_000.0, -120.0, 120.0, 43_000.0])
def test_the_sources_clock_may_differ_from_ours_by_half_the_window(skew: float) -> None:
    sent = finished(Status.SENT, 90_000)
    same = replace(NEW, stored_at=sent.finished_at - 1 + skew)
    published_again = replace(NEW, stored_at=sent.finished_at + 86_401 + skew)
    assert decide(sent, MAIL, same, RESEND, now=NOW, events_since=0) == Duplicate()
    assert decide(sent, MAIL, published_again, RESEND, now=NOW, events_since=0) == Granted(Step.RENEW, 0)


def test_replay_reopens_a_failed_uuid_once() -> None:
    failed = finished(Status.FAILED)
    assert decide(failed, MAIL, replay("messages-dead:7"), RESEND, now=NOW, events_since=0) == Granted(Step.RECLAIM, 0)
    assert (
        decide(
            replace(failed, replay_of="messages-dead:7"),
            MAIL,
            replay("messages-dead:7"),
            RESEND,
            now=NOW,
            events_since=0,
        )
        == Duplicate()
    )
    assert decide(
        replace(failed, replay_of="messages-dead:7"), MAIL, replay("messages-dead:8"), RESEND, now=NOW, events_since=0
    ) == Granted(Step.RECLAIM, 0)


@pytest.mark.parametrize("status", [Status.SENT, Status.STOPPED])
def test_replay_does_not_reopen_what_was_sent_or_stopped(status: Status) -> None:
    assert decide(finished(status), MAIL, replay("messages-dead:7"), RESEND, now=NOW, events_since=0) == Duplicate()


def test_in_doubt_waits_for_the_grace_counted_from_the_claim() -> None:
    assert isinstance(
        decide(replace(IN_DOUBT, claimed_at=NOW - 119), MAIL, NEW, RESEND, now=NOW, events_since=0), InDoubt
    )
    assert decide(replace(IN_DOUBT, claimed_at=NOW - 121), MAIL, NEW, RESEND, now=NOW, events_since=0) == Granted(
        Step.RECLAIM, 1
    )


def test_grace_begins_no_earlier_than_events_can_arrive() -> None:
    old = replace(IN_DOUBT, claimed_at=NOW - 10_000)
    assert isinstance(decide(old, MAIL, NEW, RESEND, now=NOW, events_since=NOW - 100), InDoubt)
    assert decide(old, MAIL, NEW, RESEND, now=NOW, events_since=NOW - 121) == Granted(Step.RECLAIM, 1)


def test_park_never_resends() -> None:
    assert isinstance(decide(replace(IN_DOUBT, claimed_at=NOW - 121), MAIL, NEW, PARK, now=NOW, events_since=0), Parked)


def test_doubt_spends_attempts_and_ends_in_the_dead_letters() -> None:
    often = replace(IN_DOUBT, claimed_at=NOW - 121, attempts=2)
    assert isinstance(decide(often, MAIL, NEW, RESEND, now=NOW, events_since=0), Parked)


@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED, Status.STOPPED])
def test_the_same_delivery_is_a_duplicate_however_late_it_comes_back(status: Status) -> None:
    again = replace(NEW, stored_at=NOW - 900_000)
    assert decide(finished(status, 800_000), MAIL, again, RESEND, now=NOW, events_since=0) == Duplicate()


def of_mail(known: Known, **fields: object) -> Known:
    return replace(known, **{**MAIL.fingerprint._asdict(), **fields})


@pytest.mark.parametrize(
    "known",
    [
        replace(CLAIMED, status=Status.CREATED),
        CLAIMED,
        IN_DOUBT,
        replace(IN_DOUBT, claimed_at=NOW - 121),
        finished(Status.SENT),
        finished(Status.STOPPED),
    ],
)
def test_a_uuid_that_stands_for_other_recipients_is_a_conflict(known: Known) -> None:
    assert decide(of_mail(known), OTHERS, NEW, RESEND, now=NOW, events_since=0) == CONFLICT
    assert decide(known, OTHERS, NEW, RESEND, now=NOW, events_since=0) == decide(
        known, MAIL, NEW, RESEND, now=NOW, events_since=0
    )  # by an earlier version
    assert decide(of_mail(known), MAIL, NEW, RESEND, now=NOW, events_since=0) == decide(
        known, MAIL, NEW, RESEND, now=NOW, events_since=0
    )


def test_erasure_may_have_taken_copies_off_a_mail_that_waited() -> None:
    kept = replace(NEW, kept=True)
    waiting = of_mail(replace(CLAIMED, status=Status.CREATED))
    assert decide(waiting, OTHERS, kept, RESEND, now=NOW, events_since=0) == Granted(Step.RECLAIM, 0)
    assert decide(of_mail(finished(Status.SENT)), OTHERS, kept, RESEND, now=NOW, events_since=0) == CONFLICT


def test_after_its_window_a_uuid_stands_for_nobody() -> None:
    assert decide(of_mail(finished(Status.SENT, 86_401)), OTHERS, NEW, RESEND, now=NOW, events_since=0) == Granted(
        Step.RENEW, 0
    )


@pytest.mark.parametrize(
    ("known", "message", "decision"),
    [
        (finished(Status.SENT), CHANGED, Duplicate(changed=True)),
        (finished(Status.STOPPED), CHANGED, Duplicate(changed=True)),
        (finished(Status.FAILED), MAIL, Duplicate()),  # it would fail again
        (finished(Status.FAILED), CHANGED, Granted(Step.RENEW, 0)),
        (finished(Status.FAILED), OTHERS, Granted(Step.RENEW, 0)),  # such as an address put right
        (replace(finished(Status.STOPPED), suppressed=True), MAIL, Granted(Step.RENEW, 0)),
        (replace(finished(Status.STOPPED), suppressed=True), OTHERS, CONFLICT),
    ],
)
def test_what_nobody_got_may_be_published_again(known: Known, message: EmailMessage, decision: Decision) -> None:
    assert decide(of_mail(known), message, NEW, RESEND, now=NOW, events_since=0) == decision


def test_what_may_have_been_sent_is_not_sent_again_because_it_changed() -> None:
    parked = of_mail(finished(Status.FAILED), content=None)
    assert decide(parked, CHANGED, NEW, RESEND, now=NOW, events_since=0) == Duplicate()
    assert decide(parked, OTHERS, NEW, RESEND, now=NOW, events_since=0) == CONFLICT
    assert decide(parked, MAIL, replay("messages-dead:7"), RESEND, now=NOW, events_since=0) == Granted(Step.RECLAIM, 0)


def test_replaying_the_letter_of_a_uuid_that_stands_for_others_now() -> None:
    assert (
        decide(of_mail(finished(Status.SENT)), OTHERS, replay("messages-dead:7"), RESEND, now=NOW, events_since=0)
        == CONFLICT
    )
    assert decide(
        of_mail(finished(Status.FAILED)), OTHERS, replay("messages-dead:7"), RESEND, now=NOW, events_since=0
    ) == Granted(Step.RENEW, 0)


def test_what_has_no_dead_letter_yet_is_tried_again_only_with_another_content() -> None:
    pending = DeadLetterPending(Rejected("bad address"), 2)
    known = replace(CLAIMED, status=Status.CREATED, attempts=2, dead_letter_pending=pending)
    known = replace(known, recipients=MAIL.fingerprint.recipients, content=MAIL.fingerprint.content)
    assert decide(known, MAIL, NEW, RESEND, now=NOW, events_since=0) == pending
    assert decide(known, CHANGED, NEW, RESEND, now=NOW, events_since=0) == Granted(Step.RECLAIM, 0)


def test_only_what_would_be_sent_is_stopped() -> None:
    granted, stopped = Granted(Step.INSERT, 0), Stopped(StopReason.CANCELLED)
    assert unless_stopped(granted, stopped) == stopped
    assert unless_stopped(granted, None) == granted
    assert unless_stopped(Busy(), stopped) == Busy()


def test_a_finished_uuid_is_a_duplicate_for_the_same_recipients_and_a_conflict_for_others() -> None:
    assert duplicate_or_conflict(MAIL.fingerprint, MAIL.fingerprint) == Duplicate(changed=False)
    assert duplicate_or_conflict(MAIL.fingerprint, CHANGED.fingerprint) == Duplicate(changed=True)
    assert duplicate_or_conflict(MAIL.fingerprint, OTHERS.fingerprint) == CONFLICT
