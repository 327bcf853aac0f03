"""The record of one uuid in the claims bucket, and how claims and outcomes change it. Pure values, without NATS."""

import time
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import ClassVar

import orjson
from pydantic import ConfigDict, TypeAdapter

from email_consumer.core.ledger import Origin
from email_consumer.core.outcome import (
    DeadLetterPending,
    Exhausted,
    InDoubt,
    LeftOut,
    Outcome,
    Parked,
    Rejected,
    Sent,
    Stopped,
    StopReason,
)
from email_consumer.ledgers.jetstream.values import STRICT, Count, Hash, Moment
from email_consumer.ledgers.row_changes import dead_letter_pending, row_change
from email_consumer.ledgers.rule import MAYBE_SENT_BEFORE, Granted, Identified, Known, Step
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.store.status import Status

_LONGEST_ERROR = 500
_UNREADABLE = "its record in the bucket of claims can't be read: this program did not write it, or a newer version did"


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """The value of one key: JSON without default values. Times are Unix seconds by the writer's clock."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    status: Status
    claim: str = ""
    """Name of the last claim, unique across workers and time. For scheduled mail, and if the bucket was lost during an
    attempt: the reference of the delivery."""
    attempts: Count = 0
    """Attempts spent."""
    in_doubt: bool = False
    claimed_at: Moment = 0.0
    finished_at: Moment = 0.0
    message_id: str | None = None
    error: str | None = None
    remark: str | None = None
    """How the last attempt ended, if the mail's history should contain it."""
    replay_of: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    """Recipients the last attempt left out."""
    life: Count = 0
    """The revision since which the uuid belongs to this mail rather than to an earlier one; 0: since this revision."""
    recipients: Hash | None = None
    """See `Fingerprint`; None in records of earlier versions."""
    content: Hash | None = None

    @property
    def final(self) -> bool:
        return self.status not in {Status.CREATED, Status.PROCESSED}

    @property
    def dead_letter_pending(self) -> DeadLetterPending | None:
        """Given up, while its dead letter is not stored yet."""
        return dead_letter_pending(self.status, self.error, self.attempts)

    @property
    def suppressed(self) -> bool:
        """Stopped because of a suppression or of safe mode, which may be over."""
        passing = (StopReason.SUPPRESSED, StopReason.SAFE_MODE)
        return self.status is Status.STOPPED and (self.error or "").startswith(passing)

    @property
    def kept(self) -> bool:
        """Scheduled mail that is stored until it is due: named after its delivery and not after a claim, see `waiting`."""
        return self.status is Status.CREATED and ":" in self.claim

    def encode(self) -> bytes:
        values = zip(_DEFAULTS, _values(self), strict=True)  # `asdict` makes deep copies, at ten times the cost
        return orjson.dumps({name: value for name, value in values if value != _DEFAULTS[name]})

    @classmethod
    def decode(cls, value: bytes) -> "ClaimRecord":
        """Read what `encode` of this or another version wrote.

        Raises:
            ValueError: it is something else.
        """
        return _RECORD.validate_json(value)

    @classmethod
    def unreadable(cls, stored_at: float) -> "ClaimRecord":
        """Replaces a record that can't be read. It may have said that the mail was sent, so the mail is in doubt."""
        return cls(Status.PROCESSED, in_doubt=True, claimed_at=stored_at, error=_UNREADABLE)

    @property
    def readable(self) -> bool:
        return self.error != _UNREADABLE


_DEFAULTS = {field.name: field.default for field in fields(ClaimRecord)}
_values = attrgetter(*_DEFAULTS)
_RECORD = TypeAdapter(ClaimRecord)


@dataclass(frozen=True, slots=True)
class BucketEntry:
    """A record as read from the bucket, with its revision."""

    record: ClaimRecord | None = None
    """None if the uuid is unknown."""
    revision: int = 0
    """The revision that the next write has to replace."""
    stored_at: float = 0.0
    """Unix seconds by the server's clock."""
    replaced: ClaimRecord | None = None
    """The suppressed mail that our claim replaced, if any; see `finished`."""

    def known(self, lease: float, now: float) -> Known | None:
        """The record in terms of the claim rule. All times, including `now`, are by the server's clock.

        A claim older than the lease without an outcome means that its worker never reported one.
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
            self.record.suppressed,
            self.record.dead_letter_pending,
        )

    @property
    def life(self) -> int:
        """See `ClaimRecord.life`."""
        return (self.record.life if self.record else 0) or self.revision

    def renewing(self, before: "BucketEntry") -> "BucketEntry":
        """Our claim, which replaced the entry `before`."""
        if before.record is None or not before.record.suppressed:
            return self
        return replace(self, replaced=replace(before.record, life=before.life))

    def doubted(self) -> ClaimRecord:
        """The record, marked as in doubt."""
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
        """The record after an event proved that SES sent the mail; None if it says so already."""
        record = self.record or ClaimRecord(Status.PROCESSED)
        if record.status is Status.SENT:
            return None
        return replace(
            record,
            status=Status.SENT,
            attempts=record.attempts + (record.status is Status.PROCESSED),  # that of a stopped mail is counted
            in_doubt=False,
            finished_at=now,
            message_id=message_id,
            error=None,
            remark=None,
            life=self.life,
        )

    def finished(
        self,
        held: "BucketEntry | None",
        fingerprint: Fingerprint,
        outcome: Outcome,
        now: float,
        delivery: str = "",
        *,
        kept: bool = False,
    ) -> ClaimRecord | None:
        """The record after an outcome; None if the outcome changes nothing. `held` is our own claim, if we made one.

        If the bucket was lost since, our claim may only be known by its `delivery`. `kept`: see `Origin.kept`.
        """
        same_mail = kept or self.record is None or self.record.recipients in {None, fingerprint.recipients}
        if not self._takes(held, outcome, delivery, same_mail=same_mail):
            return None
        base = self if self.record else held or self
        record = base.record or ClaimRecord(Status.CREATED, **fingerprint._asdict())
        step = row_change(outcome)
        if held and held.replaced and step.status is Status.CREATED and not step.attempts:
            # Nothing was sent. A worker that was suspended may not know of the suppression, and its delivery may have been
            # settled by another one: then no delivery would ever end a record that says "waiting".
            return held.replaced
        in_doubt = isinstance(outcome, Stopped) and record.status is Status.PROCESSED
        stopped = held and held.record and record.status is Status.STOPPED and record.claim == held.record.claim
        return replace(
            record,
            status=step.status,
            attempts=record.attempts
            + (0 if record.dead_letter_pending or stopped else step.attempts + in_doubt),  # already counted
            in_doubt=step.in_doubt,
            # The grace period starts now, since the request may have been in flight for long.
            claimed_at=now if step.in_doubt else record.claimed_at,
            finished_at=now if step.final else 0.0,
            message_id=step.message_id or record.message_id,
            error=step.error and step.error[:_LONGEST_ERROR],
            remark=step.remark,
            left_out=outcome.left_out if isinstance(outcome, (Sent, InDoubt)) else (),
            life=base.life,
            # It may have been sent: published again with other content it must remain a duplicate.
            content=None if isinstance(outcome, Parked) else record.content,
        )

    def _takes(self, held: "BucketEntry | None", outcome: Outcome, delivery: str, *, same_mail: bool) -> bool:
        if self.record is None:
            return True
        if held and held.record and (self.held_by(held.record.claim) or (delivery and self.held_by(delivery))):
            return True
        match outcome:
            case Sent():  # whichever worker holds the claim by now: SES accepted the mail
                return self.record.status is not Status.SENT
            case Stopped() | Parked():
                return same_mail and not self.record.final
            case Rejected() | Exhausted():  # its dead letter is stored now
                return self.record.dead_letter_pending is not None
            case _:
                return False

    def held_by(self, claim: str) -> bool:
        """Whether the claim with this name is still the current one."""
        record = self.record
        return record is not None and record.claim == claim and record.status is Status.PROCESSED


def claimed(found: BucketEntry, granted: Granted, name: str, mail: Identified, origin: Origin) -> ClaimRecord:
    """The record after a claim with this name."""
    fresh = ClaimRecord(
        Status.PROCESSED, name, claimed_at=time.time(), replay_of=origin.replay_of, **mail.fingerprint._asdict()
    )
    if granted.step is not Step.RECLAIM or found.record is None:
        return fresh
    return replace(fresh, attempts=granted.spent, replay_of=origin.replay_of or found.record.replay_of, life=found.life)


def waiting(found: BucketEntry, mail: Identified, origin: Origin) -> ClaimRecord:
    """The record of scheduled mail that waits for its time."""
    return ClaimRecord(
        Status.CREATED,
        origin.reference,
        replay_of=origin.replay_of,
        life=found.revision + 1 if found.record else 0,
        **mail.fingerprint._asdict(),
    )


def takes_over(record: ClaimRecord, origin: Origin) -> bool:
    """Whether this delivery replays the scheduled mail that the record waits for, which has become a dead letter."""
    return record.status is Status.CREATED and origin.replay_of is not None and record.replay_of != origin.replay_of


def doubted(found: BucketEntry, mail: Identified, since: float) -> ClaimRecord:
    """The record of a mail that a previous ledger may have sent; `since`: when its consumer was taken over (Unix seconds)."""
    fresh = ClaimRecord(
        Status.PROCESSED,
        in_doubt=True,
        claimed_at=since,
        error=MAYBE_SENT_BEFORE.reason,
        **mail.fingerprint._asdict(),
    )
    record = found.record
    if record is None or record.final:
        return fresh
    return replace(fresh, attempts=record.attempts, replay_of=record.replay_of, life=found.life)
