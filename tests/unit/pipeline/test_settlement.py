"""Every outcome, what the source is notified of and with which delay, what is recorded, and which dead letter is stored."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import get_args

import pytest
from structlog.testing import capture_logs

from email_consumer.core.delivery import Original
from email_consumer.core.ledger import LedgerBlockedError, Origin
from email_consumer.core.metrics import Metrics
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
    LeftOut,
    Outcome,
    Parked,
    Rejected,
    Scheduled,
    Sent,
    Stopped,
    StopReason,
    TenantRefused,
    Throttled,
    Undecodable,
)
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage
from email_consumer.pipeline.settlement import Settlement
from tests.factories import ORIGIN, FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger

MAIL = mail(cc=("b@example.com",))
RETRY_DELAY = 10.0


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    outcome: Outcome
    attempt: int
    """Number of the attempt; 0 if the message was not claimed."""
    call: str
    """The call the source gets."""
    delay: tuple[float, float] = (0.0, 0.0)
    """Bounds of the nak's delay in seconds."""
    recorded: Outcome | None = None
    dead_letter: str | None = None
    received: int = 1
    """How often the source has delivered the message."""

    def __str__(self) -> str:
        return f"{self.outcome} in attempt {self.attempt}, delivery {self.received}"


SENT = Sent("ses-1")
SENT_WITHOUT_COPY = Sent("ses-1", (LeftOut("b@example.com", "complaint"),))
FAILED, THROTTLED, HELD, DOUBT = Failed("503"), Throttled("slow down"), Held("paused"), InDoubt("timeout")
REFUSED = TenantRefused("acme", "it is paused")
REJECTED, EXHAUSTED = Rejected("no such domain"), Exhausted("503")

TABLE = [
    # Settled for good.
    Row(SENT, 1, "ack", recorded=SENT),
    Row(SENT_WITHOUT_COPY, 1, "ack", recorded=SENT_WITHOUT_COPY),
    Row(Duplicate(), 0, "ack"),
    Row(Duplicate(changed=True), 0, "ack"),
    Row(Scheduled(), 0, "ack"),
    *(Row(Stopped(reason), 0, "ack", recorded=Stopped(reason)) for reason in StopReason),
    # A dead letter.
    Row(REJECTED, 1, "term", recorded=REJECTED, dead_letter="rejected"),
    Row(REJECTED, 0, "term", recorded=REJECTED, dead_letter="rejected"),
    Row(EXHAUSTED, 5, "term", recorded=EXHAUSTED, dead_letter="exhausted"),
    Row(Parked("no event"), 0, "term", recorded=Parked("no event"), dead_letter="in-doubt"),
    Row(Conflict("other recipients"), 0, "term", recorded=Conflict("other recipients"), dead_letter="conflict"),
    Row(DeadLetterPending(EXHAUSTED, 5), 0, "term", recorded=EXHAUSTED, dead_letter="exhausted"),
    # Redelivered after a transient failure: the retry delay doubles with each attempt, ± 20 %, up to ten minutes.
    Row(FAILED, 1, "nak", (8, 12), recorded=FAILED),
    Row(FAILED, 2, "nak", (16, 24), recorded=FAILED),
    Row(FAILED, 4, "nak", (64, 96), recorded=FAILED),
    Row(FAILED, 40, "nak", (480, 720), recorded=FAILED),
    # Redelivered for a reason that affects all mail: soon, and later with each delivery, up to five seconds.
    Row(THROTTLED, 1, "nak", (1, 1), recorded=THROTTLED),
    Row(THROTTLED, 1, "nak", (2, 2), recorded=THROTTLED, received=2),
    Row(THROTTLED, 1, "nak", (5, 5), recorded=THROTTLED, received=9),
    Row(HELD, 1, "nak", (1, 1), recorded=HELD),
    Row(HELD, 0, "nak", (4, 4), received=3),
    Row(Interrupted(), 1, "nak", (1, 1), recorded=Interrupted()),
    Row(Interrupted(), 0, "nak", (1, 1)),
    # Redelivered for a reason that affects the mail of one tenant: later, and later with each delivery.
    Row(REFUSED, 1, "nak", (8, 10), recorded=REFUSED),
    Row(REFUSED, 1, "nak", (240, 300), recorded=REFUSED, received=9),
    # Redelivered because this process can't decide yet.
    Row(Busy(), 0, "nak", (5, 5)),
    Row(DOUBT, 1, "nak", (5, 5), recorded=DOUBT),
    Row(DOUBT, 0, "nak", (5, 5)),
]


class StoredDeadLetters:
    def __init__(self) -> None:
        self.kinds: list[str] = []

    async def store(self, _original: Original, kind: str, _reason: str, _attempts: int) -> None:
        self.kinds.append(kind)


class BlockedLedger(GrantingLedger):
    async def finish(self, _message: EmailMessage, _outcome: Outcome, _origin: Origin) -> None:
        raise LedgerBlockedError("the stream of outcomes is full")


def settlement(
    ledger: GrantingLedger, dead_letters: StoredDeadLetters | None = None, metrics: Metrics | None = None
) -> Settlement:
    return Settlement(ledger, dead_letters or StoredDeadLetters(), metrics or Metrics(), RETRY_DELAY)


@pytest.mark.parametrize("row", TABLE, ids=str)
async def test_each_outcome(row: Row) -> None:
    ledger, dead_letters, metrics = GrantingLedger(), StoredDeadLetters(), Metrics()
    delivery = FakeDelivery(received=row.received)
    await settlement(ledger, dead_letters, metrics).settle(delivery, MAIL, row.outcome, ORIGIN, row.attempt)
    [(call, _, delay)] = [each.partition(" ") for each in delivery.calls]
    assert call == row.call
    shortest, longest = row.delay
    assert shortest <= float(delay or 0) <= longest
    assert ledger.outcomes == ([row.recorded] if row.recorded else [])
    assert dead_letters.kinds == ([row.dead_letter] if row.dead_letter else [])
    assert metrics.outcomes.total() == 1
    assert metrics.settled == (row.call != "nak")


def test_the_table_is_complete() -> None:
    assert {type(row.outcome) for row in TABLE} == set(get_args(Outcome)) - {Undecodable}


async def test_an_undecodable_message_becomes_a_dead_letter_and_is_not_recorded() -> None:
    ledger, dead_letters, metrics, delivery = GrantingLedger(), StoredDeadLetters(), Metrics(), FakeDelivery()
    await settlement(ledger, dead_letters, metrics).discard(delivery, Undecodable("not MessagePack"))
    assert (delivery.calls, dead_letters.kinds, ledger.outcomes) == (["term"], ["undecodable"], [])
    assert (metrics.outcomes, metrics.unsent) == ({Undecodable: 1}, {"undecodable": 1})


async def test_the_dead_letter_is_stored_before_the_outcome_and_both_before_the_source_is_notified() -> None:
    steps: list[str] = []

    class Ledger(GrantingLedger):
        async def finish(self, _message: EmailMessage, _outcome: Outcome, _origin: Origin) -> None:
            steps.append("outcome")

    class Letters(StoredDeadLetters):
        async def store(self, _original: Original, _kind: str, _reason: str, _attempts: int) -> None:
            steps.append("dead letter")

    class Delivery(FakeDelivery):
        async def term(self) -> None:
            steps.append("term")

    await settlement(Ledger(), Letters()).settle(Delivery(), MAIL, REJECTED, ORIGIN, 1)
    assert steps == ["dead letter", "outcome", "term"]


async def test_an_outcome_the_ledger_could_not_pass_on_is_redelivered() -> None:
    metrics, delivery = Metrics(), FakeDelivery()
    await settlement(BlockedLedger(), metrics=metrics).settle(delivery, MAIL, SENT, ORIGIN, 1)
    assert delivery.calls == ["nak 5"]
    assert metrics.last_nak_reason == "the stream of outcomes is full"


async def test_recipients_that_were_left_out_are_not_counted_as_sent() -> None:
    metrics = Metrics()
    await settlement(GrantingLedger(), metrics=metrics).settle(FakeDelivery(), MAIL, SENT_WITHOUT_COPY, ORIGIN, 1)
    assert (metrics.recipients_sent, metrics.copies_left_out) == (1, 1)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Duplicate(), "duplicate"),
        (Duplicate(changed=True), "duplicate"),
        *((Stopped(reason), reason) for reason in StopReason),
    ],
)
async def test_mail_that_is_acked_unsent_is_counted_and_logged(outcome: Outcome, reason: str) -> None:
    metrics = Metrics()
    settle = settlement(GrantingLedger(), metrics=metrics).settle
    with capture_logs() as logs:
        for _ in range(3):
            await settle(FakeDelivery(), MAIL, outcome, ORIGIN, 0)
    assert metrics.unsent == {reason: 3}
    assert [(line["event"], line["uuid"], line["reason"]) for line in logs] == [("mail.unsent", "u-1", reason)]


@pytest.mark.parametrize("row", [row for row in TABLE if row.dead_letter], ids=str)
async def test_dead_letters_are_counted_and_logged(row: Row) -> None:
    metrics = Metrics()
    with capture_logs() as logs:
        await settlement(GrantingLedger(), metrics=metrics).settle(
            FakeDelivery(), MAIL, row.outcome, ORIGIN, row.attempt
        )
    assert metrics.unsent == {row.dead_letter: 1}
    assert {line["log_level"] for line in logs} == {"warning"}
    conflict = ["mail.conflict"] * isinstance(row.outcome, Conflict)
    assert [line["event"] for line in logs] == ["mail.dead_letter", *conflict]


async def test_a_source_that_does_not_respond_does_not_block_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(FakeDelivery):
        async def ack(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("email_consumer.pipeline.settlement._SOURCE_TIMEOUT", 0.01)
    with capture_logs() as logs:
        await settlement(GrantingLedger()).settle(Hanging(), MAIL, Duplicate(), ORIGIN, 0)
    assert [line["error"] for line in logs if line["event"] == "delivery.not_settled"] == ["no response within 0.01 s"]


async def test_a_refused_tenant_is_named_once_a_minute() -> None:
    settle = settlement(GrantingLedger()).settle
    with capture_logs() as logs:
        for tenant in ("acme", "acme", "umbrella"):
            await settle(FakeDelivery(), MAIL, TenantRefused(tenant, "it is paused"), ORIGIN, 1)
    assert [(line["event"], line["tenant"]) for line in logs] == [
        ("tenant.refused", "acme"),
        ("tenant.refused", "umbrella"),
    ]


@pytest.mark.parametrize("lane", [None, *Lane])
async def test_what_is_sent_is_counted_by_lane_topic_and_tenant(lane: Lane | None) -> None:
    metrics = Metrics()
    metrics.tally = Counter()
    message = MAIL.model_copy(update={"lane": lane, "topic_id": "news", "tenant": "acme"})
    for _ in range(2):
        await settlement(GrantingLedger(), metrics=metrics).settle(FakeDelivery(), message, SENT, ORIGIN, 1)
    urgent = lane is Lane.TRANSACTIONAL
    assert metrics.sent_by_lane[lane or Lane.BULK] == 2
    assert metrics.tally == {("news", "acme", not urgent): 2}
    assert (metrics.recipients_sent, metrics.transactional_recipients_sent) == (4, 4 * urgent)


async def test_changed_duplicates_are_counted_apart() -> None:
    metrics = Metrics()
    for changed in (True, False, True):
        await settlement(GrantingLedger(), metrics=metrics).settle(
            FakeDelivery(), MAIL, Duplicate(changed=changed), ORIGIN, 0
        )
    assert metrics.duplicates_changed == 2


@pytest.mark.parametrize(("outcome", "systemic"), [(THROTTLED, True), (HELD, True), (FAILED, False), (REFUSED, False)])
async def test_why_mail_comes_again_is_remembered(
    outcome: Failed | Throttled | Held | TenantRefused, systemic: bool
) -> None:
    metrics = Metrics()
    metrics.refused_tenants = {}
    before = metrics.last_systemic_nak_at
    await settlement(GrantingLedger(), metrics=metrics).settle(FakeDelivery(), MAIL, outcome, ORIGIN, 1)
    assert metrics.last_nak_reason == outcome.reason
    assert (metrics.last_systemic_nak_at != before) is systemic
    assert metrics.refused_tenants == ({"acme": "it is paused"} if outcome is REFUSED else {})
