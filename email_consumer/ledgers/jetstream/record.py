"""What the bucket holds of one uuid, and what each event makes of it; pure values, nothing of NATS."""

import time
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import ClassVar

import orjson
from pydantic import ConfigDict, TypeAdapter

from email_consumer.core.ledger import Origin
from email_consumer.core.outcome import (
    Exhausted,
    InDoubt,
    LeftOut,
    Outcome,
    Parked,
    Rejected,
    Sent,
    Stopped,
    StopReason,
    Unburied,
)
from email_consumer.ledgers.jetstream.values import STRICT, Count, Hash, Moment
from email_consumer.ledgers.row_changes import row_change, unburied
from email_consumer.ledgers.rule import Granted, Identified, Known, Step
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.store.status import Status

_LONGEST_ERROR = 500
_UNREADABLE = "its record in the bucket of claims can't be read: this program did not write it, or a newer version did"


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """One key's value, JSON without what is at its default. Times are Unix seconds by the writer's clock."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    status: Status
    claim: str = ""
    """Names the last claim: unique over all workers and times. While the mail waits for its time, and where the bucket was
    lost during an attempt: the delivery it came by."""
    attempts: Count = 0
    """Attempts spent."""
    in_doubt: bool = False
    claimed_at: Moment = 0.0
    finished_at: Moment = 0.0
    message_id: str | None = None
    error: str | None = None
    remark: str | None = None
    """How the last attempt ended, where the mail's history should keep it."""
    replay_of: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    """Copies that the last attempt did not send."""
    life: Count = 0
    """The revision from which on the uuid stands for this mail, its former life forgotten; 0: from this very revision."""
    recipients: Hash | None = None
    """See `Fingerprint`; None in records of earlier versions."""
    content: Hash | None = None

    @property
    def final(self) -> bool:
        return self.status not in {Status.CREATED, Status.PROCESSED}

    @property
    def unburied(self) -> Unburied | None:
        """Given up, and still without its dead letter."""
        return unburied(self.status, self.error, self.attempts)

    def encode(self) -> bytes:
        values = zip(_DEFAULTS, _values(self), strict=True)  # `asdict` copies deeply, at ten times the cost
        return orjson.dumps({name: value for name, value in values if value != _DEFAULTS[name]})

    @classmethod
    def decode(cls, value: bytes) -> "ClaimRecord":
        """What `encode` wrote, in this version or another.

        Raises:
            ValueError: it is something else.
        """
        return _RECORD.validate_json(value)

    @classmethod
    def unreadable(cls, stored_at: float) -> "ClaimRecord":
        """What stands for one that can't be read. It may have told that the mail was sent: that is in doubt."""
        return cls(Status.PROCESSED, in_doubt=True, claimed_at=stored_at, error=_UNREADABLE)


_DEFAULTS = {field.name: field.default for field in fields(ClaimRecord)}
_values = attrgetter(*_DEFAULTS)
_RECORD = TypeAdapter(ClaimRecord)


@dataclass(frozen=True, slots=True)
class BucketEntry:
    """What was read."""

    record: ClaimRecord | None = None
    """None: nothing is known of the uuid."""
    revision: int = 0
    """What the next write has to name as the last one."""
    stored_at: float = 0.0
    """Unix seconds by the server's clock."""

    def known(self, lease: float, now: float) -> Known | None:
        """In the terms of the claim rule, all times by the server's clock; `now` too.

        In hand for longer than the lease means: its worker never reported.
        """
        if self.record is None:
            return None
        doubted = self.record.in_doubt
        orphaned = self.record.status is Status.PROCESSED and not doubted and self.stored_at + lease <= now
        return Known(
            self.record.status,
            self.record.attempts,
            doubted or orphaned,
            self.record.claimed_at if doubted else self.stored_at,
            self.stored_at if self.record.final else 0.0,
            self.record.replay_of,
            self.record.recipients,
            self.record.content,
            self.record.status is Status.STOPPED and (self.record.error or "").startswith(StopReason.SUPPRESSED),
            self.record.unburied,
        )

    @property
    def life(self) -> int:
        """See `ClaimRecord.life`."""
        return (self.record.life if self.record else 0) or self.revision

    def doubted(self) -> ClaimRecord:
        """The record with the doubt written down."""
        assert self.record is not None  # noqa: S101 - only what is there can be doubted
        return replace(
            self.record,
            in_doubt=True,
            claimed_at=self.stored_at,
            error="the worker ended during the attempt",
            remark="in doubt",
            life=self.life,
        )

    def sent(self, message_id: str, now: float) -> ClaimRecord | None:
        """What SES's own event makes of it; None where that is known."""
        record = self.record or ClaimRecord(Status.PROCESSED)
        if record.status is Status.SENT:
            return None
        return replace(
            record,
            status=Status.SENT,
            attempts=record.attempts + (record.status in {Status.PROCESSED, Status.STOPPED}),
            in_doubt=False,
            finished_at=now,
            message_id=message_id,
            error=None,
            remark=None,
            life=self.life,
        )

    def finished(
        self, held: "BucketEntry | None", fingerprint: Fingerprint, outcome: Outcome, now: float, delivery: str = ""
    ) -> ClaimRecord | None:
        """What the outcome of an attempt makes of it, None: nothing. `held` is the claim we made, if we did.

        The bucket may have been lost since, and our claim be known by its `delivery` alone.
        """
        if not self._takes(held, outcome, delivery):
            return None
        base = self if self.record else held or self
        record = base.record or ClaimRecord(Status.CREATED, **fingerprint._asdict())
        step = row_change(outcome)
        return replace(
            record,
            status=step.status,
            attempts=record.attempts + (0 if record.unburied else step.attempts),  # its own are counted
            in_doubt=step.in_doubt,
            # The grace of a doubt counts from here: the request may have been under way for long.
            claimed_at=now if step.in_doubt else record.claimed_at,
            finished_at=now if step.final else 0.0,
            message_id=step.message_id or record.message_id,
            error=step.error and step.error[:_LONGEST_ERROR],
            remark=step.remark,
            left_out=outcome.left_out if isinstance(outcome, (Sent, InDoubt)) else (),
            life=base.life,
            # It may have been sent: published again with another content it must stay a duplicate.
            content=None if isinstance(outcome, Parked) else record.content,
        )

    def _takes(self, held: "BucketEntry | None", outcome: Outcome, delivery: str) -> bool:
        if self.record is None:
            return True
        if held and held.record and (self.held_by(held.record.claim) or (delivery and self.held_by(delivery))):
            return True
        match outcome:
            case Sent():  # whoever has the claim by now: SES took it
                return self.record.status is not Status.SENT
            case Stopped() | Parked():
                return not self.record.final
            case Rejected() | Exhausted():  # its dead letter has found its place
                return self.record.unburied is not None
            case _:
                return False

    def held_by(self, claim: str) -> bool:
        """Whether the claim of that name still stands."""
        record = self.record
        return record is not None and record.claim == claim and record.status is Status.PROCESSED


def claimed(found: BucketEntry, granted: Granted, name: str, mail: Identified, origin: Origin) -> ClaimRecord:
    """What a claim of that name makes of it."""
    fresh = ClaimRecord(
        Status.PROCESSED, name, claimed_at=time.time(), replay_of=origin.replay_of, **mail.fingerprint._asdict()
    )
    if granted.step is not Step.RECLAIM or found.record is None:
        return fresh
    return replace(fresh, attempts=granted.spent, replay_of=origin.replay_of or found.record.replay_of, life=found.life)
