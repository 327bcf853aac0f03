"""A dead letter that has no place: the mail stays in its source, and in no slot."""

import asyncio

import pytest
from structlog.testing import capture_logs

from email_consumer.core.burial import Burial
from email_consumer.core.dead_letters import DeadLetterRefusedError, DeadLetterStore
from email_consumer.core.delivery import Original
from email_consumer.core.ledger import Origin
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Conflict,
    Duplicate,
    Exhausted,
    Outcome,
    Parked,
    Rejected,
    Stopped,
    StopReason,
    Unburied,
    Undecodable,
)
from email_consumer.message.model import EmailMessage
from email_consumer.pipeline.settlement import Settlement
from tests.unit.delivery import FakeDelivery
from tests.unit.granting_ledger import GrantingLedger

MAIL = EmailMessage(uuid="u-1", email="a@example.com", subject="s", body="b")
ORIGIN = Origin("nats", "messages:1", 1, 0.0)


class Full:
    async def store(self, _original: Original, _kind: str, _reason: str, _attempts: int) -> None:
        raise DeadLetterRefusedError("raise its max_payload")


class NoAnswer:
    async def store(self, _original: Original, _kind: str, _reason: str, _attempts: int) -> None:
        await asyncio.Event().wait()


class Room:
    """A place that has some later."""

    def __init__(self) -> None:
        self.full = True
        self.stored: list[tuple[str, str, int]] = []

    async def store(self, _original: Original, kind: str, reason: str, attempts: int) -> None:
        if self.full:
            raise ConnectionError("maximum messages exceeded")
        self.stored.append((kind, reason, attempts))


@pytest.mark.parametrize("letters", [Full(), Room(), NoAnswer()])
@pytest.mark.parametrize(
    ("outcome", "attempt", "recorded"),
    [
        (Rejected("no such domain"), 1, [Unburied(Rejected("no such domain"), 1)]),
        (Exhausted("503"), 5, [Unburied(Exhausted("503"), 5)]),
        (Parked("no event came"), 0, []),
        (Conflict("others"), 0, []),
    ],
)
async def test_a_mail_without_a_dead_letter_goes_back_and_is_not_recorded_as_failed(
    letters: DeadLetterStore, outcome: Rejected | Exhausted | Parked, attempt: int, recorded: list[Outcome]
) -> None:
    ledger, metrics, delivery = GrantingLedger(), Metrics(), FakeDelivery()
    settlement = Settlement(ledger, letters, metrics, 5, Burial(patience=0.05))
    await settlement.settle(delivery, MAIL, outcome, ORIGIN, attempt)
    [told] = delivery.calls
    assert 4 <= float(told.removeprefix("nak ")) <= 5
    assert ledger.outcomes == recorded
    assert (metrics.outcomes, metrics.settled, metrics.unsent) == ({Unburied: 1}, 0, {})


async def test_poison_stays_in_its_source() -> None:
    delivery = FakeDelivery()
    await Settlement(GrantingLedger(), Full(), Metrics(), retry_delay=5).discard(
        delivery, Undecodable("not MessagePack")
    )
    assert [told[:3] for told in delivery.calls] == ["nak"]


async def test_a_mail_without_a_dead_letter_is_buried_when_it_comes_again() -> None:
    ledger, letters, delivery, burial = GrantingLedger(), Room(), FakeDelivery(), Burial()
    settlement = Settlement(ledger, letters, Metrics(), 5, burial)
    await settlement.settle(delivery, MAIL, Exhausted("503"), ORIGIN, 5)
    assert settlement.unburied(delivery) == Unburied(Exhausted("503"), 5)
    other = FakeDelivery()
    other.stored_at = 1.0
    assert settlement.unburied(other) is None, "of the same number in a stream that was made anew"
    with pytest.raises(ConnectionError, match="dead letters can't be stored: maximum messages exceeded"):
        await burial.check()
    # The ledger says the same to a process that doesn't remember it; once written it is not written again.
    await settlement.settle(delivery, MAIL, Unburied(Exhausted("503"), 5), ORIGIN, 0)
    letters.full = False
    await settlement.settle(delivery, MAIL, Unburied(Exhausted("503"), 5), ORIGIN, 0)
    assert letters.stored == [("exhausted", "503", 5)]
    assert ledger.outcomes == [Unburied(Exhausted("503"), 5), Exhausted("503")]
    assert [told[:4] for told in delivery.calls] == ["nak ", "nak ", "term"]
    assert settlement.unburied(delivery) is None
    await burial.check()


async def test_a_full_place_for_dead_letters_is_told_in_few_lines() -> None:
    settlement = Settlement(GrantingLedger(), Room(), Metrics(), retry_delay=5)
    with capture_logs() as logs:
        for _ in range(100):
            await settlement.discard(FakeDelivery(), Undecodable("not MessagePack"))
    assert [(line["event"], line["error"]) for line in logs] == [
        ("dead_letter.not_stored", "maximum messages exceeded")
    ]


class Deaf(FakeDelivery):
    async def ack(self) -> None:
        await asyncio.Event().wait()


class Letters:
    def __init__(self) -> None:
        self.kinds: list[str] = []

    async def store(self, _original: Original, kind: str, _reason: str, _attempts: int) -> None:
        self.kinds.append(kind)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Duplicate(), "duplicate"),
        (Duplicate(changed=True), "duplicate"),
        *((Stopped(reason), reason) for reason in StopReason),
    ],
)
async def test_what_is_acked_unsent_leaves_a_line_and_a_count(outcome: Outcome, reason: str) -> None:
    metrics, delivery = Metrics(), FakeDelivery()
    settlement = Settlement(GrantingLedger(), Letters(), metrics, retry_delay=5)
    with capture_logs() as logs:
        for _ in range(3):
            await settlement.settle(delivery, MAIL, outcome, ORIGIN, 0)
    assert delivery.calls == ["ack"] * 3
    assert metrics.unsent == {reason: 3}
    assert [(line["event"], line["uuid"], line["reason"]) for line in logs] == [("mail.unsent", "u-1", reason)]


@pytest.mark.parametrize(
    ("outcome", "attempt", "kind"),
    [
        (Rejected("no"), 1, "rejected"),
        (Exhausted("no"), 5, "exhausted"),
        (Parked("no"), 0, "in-doubt"),
        (Conflict("no"), 0, "conflict"),
    ],
)
async def test_what_fails_leaves_a_dead_letter_a_line_and_a_count(outcome: Outcome, attempt: int, kind: str) -> None:
    ledger, letters, metrics, delivery = GrantingLedger(), Letters(), Metrics(), FakeDelivery()
    with capture_logs() as logs:
        await Settlement(ledger, letters, metrics, retry_delay=5).settle(delivery, MAIL, outcome, ORIGIN, attempt)
    assert (delivery.calls, letters.kinds, metrics.unsent) == (["term"], [kind], {kind: 1})
    assert ledger.outcomes == [outcome]
    assert {line["log_level"] for line in logs} == {"warning"}
    assert [line["event"] for line in logs] == ["mail.dead_letter"] + ["mail.conflict"] * (kind == "conflict")


async def test_a_mail_that_never_was_claimed_is_recorded_as_rejected() -> None:
    """As one that is due later and too large to be kept."""
    ledger = GrantingLedger()
    await Settlement(ledger, Letters(), Metrics(), 5).settle(FakeDelivery(), MAIL, Rejected("too large"), ORIGIN, 0)
    assert ledger.outcomes == [Rejected("too large")]


async def test_a_source_that_never_hears_holds_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_consumer.pipeline.settlement._SOURCE_TIMEOUT", 0.01)
    delivery = Deaf()
    with capture_logs() as logs:
        await Settlement(GrantingLedger(), Letters(), Metrics(), 5).settle(delivery, MAIL, Duplicate(), ORIGIN, 0)
    assert [line["error"] for line in logs if line["event"] == "delivery.not_settled"] == ["no response within 0.01 s"]
