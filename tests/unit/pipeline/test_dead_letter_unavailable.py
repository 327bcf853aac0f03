"""Settlement while the dead letter can't be stored: the message stays in its source and occupies no slot."""

import asyncio

import pytest
from structlog.testing import capture_logs

from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.dead_letters import DeadLetterRefusedError, DeadLetterStore
from email_consumer.core.delivery import Original
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Conflict,
    DeadLetterPending,
    Exhausted,
    Outcome,
    Parked,
    Rejected,
    Undecodable,
)
from email_consumer.pipeline.settlement import Settlement
from tests.factories import ORIGIN, FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger

MAIL = mail()


class TooSmall:
    async def store(self, _original: Original, _kind: str, _reason: str, _attempts: int) -> None:
        raise DeadLetterRefusedError("raise its max_payload")


class NoAnswer:
    async def store(self, _original: Original, _kind: str, _reason: str, _attempts: int) -> None:
        await asyncio.Event().wait()


class FullAtFirst:
    """Has room once `full` is reset."""

    def __init__(self) -> None:
        self.full = True
        self.stored: list[tuple[str, str, int]] = []

    async def store(self, _original: Original, kind: str, reason: str, attempts: int) -> None:
        if self.full:
            raise ConnectionError("maximum messages exceeded")
        self.stored.append((kind, reason, attempts))


@pytest.mark.parametrize("dead_letters", [TooSmall(), FullAtFirst(), NoAnswer()])
@pytest.mark.parametrize(
    ("outcome", "attempt", "recorded"),
    [
        (Rejected("no such domain"), 1, [DeadLetterPending(Rejected("no such domain"), 1)]),
        (Rejected("too large to be kept"), 0, []),
        (Exhausted("503"), 5, [DeadLetterPending(Exhausted("503"), 5)]),
        (Parked("no event came"), 0, []),
        (Conflict("others"), 0, []),
    ],
)
async def test_the_message_is_returned_and_not_recorded_as_failed(
    dead_letters: DeadLetterStore, outcome: Rejected | Exhausted | Parked, attempt: int, recorded: list[Outcome]
) -> None:
    ledger, metrics, delivery = GrantingLedger(), Metrics(), FakeDelivery()
    settlement = Settlement(ledger, dead_letters, metrics, 5, DeadLetterWriter(patience=0.05))
    await settlement.settle(delivery, MAIL, outcome, ORIGIN, attempt)
    [call] = delivery.calls
    assert 4 <= float(call.removeprefix("nak ")) <= 5
    assert ledger.outcomes == recorded
    assert (metrics.outcomes, metrics.settled, metrics.unsent) == ({DeadLetterPending: 1}, 0, {})


async def test_an_undecodable_message_is_returned() -> None:
    delivery = FakeDelivery()
    await Settlement(GrantingLedger(), TooSmall(), Metrics(), retry_delay=5).discard(
        delivery, Undecodable("not MessagePack")
    )
    assert [call[:3] for call in delivery.calls] == ["nak"]


async def test_the_dead_letter_is_stored_on_a_redelivery() -> None:
    ledger, dead_letters, delivery, writer = GrantingLedger(), FullAtFirst(), FakeDelivery(), DeadLetterWriter()
    settlement = Settlement(ledger, dead_letters, Metrics(), 5, writer)
    await settlement.settle(delivery, MAIL, Exhausted("503"), ORIGIN, 5)
    assert settlement.dead_letter_pending(delivery) == DeadLetterPending(Exhausted("503"), 5)
    other = FakeDelivery()
    other.stored_at = 1.0
    assert settlement.dead_letter_pending(other) is None, "has the same number in a recreated stream"
    with pytest.raises(ConnectionError, match="dead letters can't be stored: maximum messages exceeded"):
        await writer.check()
    # The ledger returns the same to a process that does not remember it; the outcome is recorded only once.
    await settlement.settle(delivery, MAIL, DeadLetterPending(Exhausted("503"), 5), ORIGIN, 0)
    dead_letters.full = False
    await settlement.settle(delivery, MAIL, DeadLetterPending(Exhausted("503"), 5), ORIGIN, 0)
    assert dead_letters.stored == [("exhausted", "503", 5)]
    assert ledger.outcomes == [DeadLetterPending(Exhausted("503"), 5), Exhausted("503")]
    assert [call[:4] for call in delivery.calls] == ["nak ", "nak ", "term"]
    assert settlement.dead_letter_pending(delivery) is None
    await writer.check()


async def test_a_full_stream_is_logged_in_few_lines() -> None:
    settlement = Settlement(GrantingLedger(), FullAtFirst(), Metrics(), retry_delay=5)
    with capture_logs() as logs:
        for _ in range(100):
            await settlement.discard(FakeDelivery(), Undecodable("not MessagePack"))
    assert [(line["event"], line["error"]) for line in logs] == [
        ("dead_letter.not_stored", "maximum messages exceeded")
    ]


async def test_a_publisher_of_nothing_but_junk_is_logged_in_few_lines() -> None:
    dead_letters, metrics = FullAtFirst(), Metrics()
    dead_letters.full = False
    settlement = Settlement(GrantingLedger(), dead_letters, metrics, retry_delay=5)
    with capture_logs() as logs:
        for _ in range(100):
            await settlement.discard(FakeDelivery(), Undecodable("not MessagePack"))
            await settlement.discard(FakeDelivery(), Undecodable("email: is required"))
    assert [(line["event"], line["reason"]) for line in logs] == [
        ("mail.dead_letter", "not MessagePack"),
        ("mail.dead_letter", "email: is required"),
    ]
    assert len(dead_letters.stored) == metrics.unsent["undecodable"] == 200
