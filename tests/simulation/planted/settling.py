"""Faults in how deliveries end: acknowledgements, dead letters, counts, heartbeats, and what is shown."""

from typing import Any

from email_consumer.core.dead_letters import DeadLetterKind
from email_consumer.core.outcome import (
    Duplicate,
    Exhausted,
    Interrupted,
    Rejected,
    Scheduled,
    Sent,
    Throttled,
)
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers import row_changes, sqlite, write_outcomes
from email_consumer.ledgers.jetstream import ledger as jetstream_ledger
from email_consumer.ledgers.jetstream import projection, record
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.pipeline.settlement import Settlement
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from email_consumer.sources.jetstream.delivery import JetStreamDelivery
from tests.simulation.planted.patch import Patch

_DEAD = (Rejected, Exhausted)


def ack_before_the_commit() -> list[Patch]:
    """Ack before the commit."""
    settle = Settlement.settle

    async def planted(self: Any, delivery: Any, message: Any, outcome: Any, *rest: Any, **more: Any) -> None:
        if isinstance(outcome, Sent):
            await delivery.ack()
        await settle(self, delivery, message, outcome, *rest, **more)

    return [(Settlement, "settle", planted)]


def nak_without_delay() -> list[Patch]:
    """Nak without delay."""
    nak = JetStreamDelivery.nak

    async def planted(self: Any, delay: float) -> None:  # noqa: ARG001 - as the original
        await nak(self, 0)

    return [(JetStreamDelivery, "nak", planted)]


def throttle_costs_an_attempt() -> list[Patch]:
    """Attempt counted on a throttle."""
    change = row_changes.row_change

    def planted(outcome: Any) -> Any:
        found = change(outcome)
        return found._replace(attempts=1) if isinstance(outcome, Throttled) else found

    return [(write_outcomes, "row_change", planted), (record, "row_change", planted)]


def last_attempt_without_dead_letter() -> list[Patch]:
    """Last attempt without dead letter."""
    store = Settlement._store_dead_letter

    async def planted(self: Any, delivery: Any, kind: str, reason: str, attempts: int) -> bool:
        return kind == DeadLetterKind.EXHAUSTED or await store(self, delivery, kind, reason, attempts)

    return [(Settlement, "_store_dead_letter", planted)]


def dead_letter_after_the_outcome() -> list[Patch]:
    """Dead letter after the outcome."""
    settle = Settlement.settle

    async def planted(self: Any, delivery: Any, message: Any, outcome: Any, *rest: Any, **more: Any) -> None:
        if isinstance(outcome, _DEAD):
            await self._record(message, outcome, rest[0])
        await settle(self, delivery, message, outcome, *rest, **more)

    return [(Settlement, "settle", planted)]


def term_before_the_dead_letter() -> list[Patch]:
    """Term before the dead letter."""
    settle = Settlement.settle

    async def planted(self: Any, delivery: Any, message: Any, outcome: Any, *rest: Any, **more: Any) -> None:
        if isinstance(outcome, _DEAD):
            await delivery.term()
        await settle(self, delivery, message, outcome, *rest, **more)

    return [(Settlement, "settle", planted)]


def outcome_shown_twice() -> list[Patch]:
    """Outcome projected twice."""
    return [(projection, "_is_newer", lambda entry, _shown: not entry["conflict"])]


def no_heartbeats() -> list[Patch]:
    """Heartbeat left out."""

    async def planted(_self: Any, _source: str) -> None:
        """Nothing is sent."""

    return [(Dispatcher, "_send_heartbeats", planted)]


def drain_acks() -> list[Patch]:
    """Drain that acks what it interrupts."""
    settle = Settlement._settle

    async def planted(self: Any, delivery: Any, outcome: Any, attempt: int) -> None:
        await settle(self, delivery, Duplicate() if isinstance(outcome, Interrupted) else outcome, attempt)

    return [(Settlement, "_settle", planted)]


def duplicate_taken_for_stored() -> list[Patch]:
    """Duplicate: true taken for stored."""

    async def planted(*_: object) -> bool:
        return True

    return [(Publisher, "holds", planted), (JetStreamDeadLetters, "_holds", planted)]


def schedule_without_storing() -> list[Patch]:
    """Schedule claimed without publishing."""

    async def nothing(*_: object, **__: object) -> Scheduled:
        return Scheduled()

    return [(jetstream_ledger, "publish_scheduled", nothing), (sqlite, "keep_for_later", nothing)]
