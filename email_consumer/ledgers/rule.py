"""The claim rule: whether a uuid may be claimed. Pure logic, independent of where the ledger is stored."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Literal, Protocol

from email_consumer.core.ledger import Origin
from email_consumer.core.outcome import Busy, Conflict, DeadLetterPending, Duplicate, InDoubt, Parked, Stopped
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage
from email_consumer.store.status import Status

LEASE = 60.0
"""Seconds a claim belongs to its holder. A request is written in the first half of them or not at all."""

PATIENCE = 15.0
"""Seconds a mail waits for a ledger that accepts no claims: longer than most leader elections of NATS."""


class Identified(Protocol):
    """A mail, as far as the rule needs to know it."""

    @property
    def fingerprint(self) -> Fingerprint: ...


Stopper = Callable[[EmailMessage, Origin], Stopped | None]
"""Whether cancellations or the suppression list stop a mail; answers from memory, as `Gate.check` does."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are in seconds."""

    idempotency_ttl: float
    """How long a finished uuid is remembered after its outcome."""
    in_doubt: Literal["resend", "park"]
    in_doubt_grace: float
    """How long to wait for an event from SES."""
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Takeover:
    """Mail delivered before this ledger took over the consumer, which the previous holder may have sent."""

    sequence: int
    """The last sequence number delivered by then in the bulk lane."""
    since: float
    """When the consumer was taken over, in Unix seconds."""
    stream: str = ""
    """Identity of the stream that `sequence` refers to; empty if the previous version recorded it."""
    transactional: int = 0
    """The last sequence number delivered by then in the transactional lane, which the previous version did not know."""

    def covers(self, origin: Origin) -> bool:
        # Also a first delivery, as the consumer counts: since it was deleted and created again, it counts from 1.
        delivered = self.transactional if origin.lane is Lane.TRANSACTIONAL else self.sequence
        same = origin.stream == self.stream or not (origin.stream and self.stream)
        return origin.sequence <= delivered and origin.ordered and same


NO_TAKEOVER = Takeover(0, 0.0)


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a uuid. Times are Unix seconds."""

    status: Status
    attempts: int
    in_doubt: bool
    claimed_at: float
    finished_at: float
    replay_of: str | None
    recipients: int | None = None
    """Hash of the recipients (`Fingerprint`); None if the previous version wrote it."""
    content: int | None = None
    """Hash of the content; also None if the mail is Failed although SES may have accepted it."""
    suppressed: bool = False
    """Stopped because of a suppression or of safe mode, which may be over."""
    dead_letter_pending: DeadLetterPending | None = None
    """Given up, while its dead letter is not stored yet."""


class Step(Enum):
    """How a granted claim is written."""

    INSERT = auto()
    """The uuid is unknown: insert a row."""
    RECLAIM = auto()
    """Continue with the existing row."""
    RENEW = auto()
    """The uuid is used again: insert a row; the old one keeps its history."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The claim may be written; `spent` attempts were made before."""

    step: Step
    spent: int
    doubtful: bool = False
    """It is written as in doubt: the ledger that had the consumer before may have sent the mail."""


MAYBE_SENT_BEFORE = InDoubt("it may have been sent under the ledger that had this consumer before")
"""The answer to a claim that is granted as doubtful."""

CONFLICT = Conflict("its uuid belongs to a mail to other recipients")

_NEW = Granted(Step.INSERT, 0)
"""The decision for nearly every mail. Shared, since creating a frozen value costs as much as the rest of the decision."""

Decision = Granted | Duplicate | Conflict | Busy | InDoubt | Parked | DeadLetterPending


def decide(
    known: Known | None,
    message: Identified,
    origin: Origin,
    policy: Policy,
    *,
    now: float,
    events_since: float,
    takeover: Takeover = NO_TAKEOVER,
) -> Decision:
    """Decide on a claim. `events_since`: since when events from SES reach us (Unix seconds); no grace period begins earlier."""
    if not takeover.covers(origin):
        return _decide(known, message, origin, policy, now=now, events_since=events_since)
    decision = _decide(known, message, origin, policy, now=now, events_since=max(events_since, takeover.since))
    if isinstance(decision, Granted) and not _known_since(takeover.since, known):
        return replace(decision, doubtful=True)
    return decision


def _known_since(takeover: float, known: Known | None) -> bool:
    """Whether we know of the mail from after the takeover; before it, the previous ledger may have sent what we had not."""
    if known is None:
        return False
    # Where it was claimed before, its doubt was waited for by now.
    return known.status is Status.PROCESSED or max(known.claimed_at, known.finished_at) >= takeover


def _decide(
    known: Known | None, message: Identified, origin: Origin, policy: Policy, *, now: float, events_since: float
) -> Decision:
    if known is None:
        return _NEW
    if known.status >= Status.SENT:
        return _decide_on_finished(known, message.fingerprint, origin, policy, now)
    waited = origin.kept and known.status is Status.CREATED
    if _differ(known.recipients, message.fingerprint.recipients) and not waited:
        return CONFLICT
    if known.dead_letter_pending:
        # Published again with other content, it is tried again as if it had already failed.
        changed = _differ(known.content, message.fingerprint.content)
        return Granted(Step.RECLAIM, 0) if changed else known.dead_letter_pending
    if known.status is Status.CREATED:
        return Granted(Step.RECLAIM, known.attempts)
    return _resolve(known, policy, now, events_since) if known.in_doubt else Busy()


def unless_stopped(decision: Decision, stopped: Stopped | None) -> Decision | Stopped:
    """The decision, unless it grants the claim of a mail that must not be sent. One that may have been sent is not stopped."""
    return stopped if stopped and isinstance(decision, Granted) and not decision.doubtful else decision


def duplicate_or_conflict(finished: Fingerprint, again: Fingerprint) -> Duplicate | Conflict:
    """Classify a mail whose uuid was finished recently."""
    return CONFLICT if again.recipients != finished.recipients else Duplicate(again.content != finished.content)


def _decide_on_finished(known: Known, asked: Fingerprint, origin: Origin, policy: Policy, now: float) -> Decision:
    others = _differ(known.recipients, asked.recipients)
    changed = _differ(known.content, asked.content)
    match known.status:
        case Status.FAILED if origin.replay_of and known.replay_of != origin.replay_of and not others:
            return Granted(Step.RECLAIM, 0)
        case Status.FAILED if changed or (others and known.content is not None):
            # Nobody received it. Unchanged it would fail again, but with a corrected address, for example, it may not.
            return Granted(Step.RENEW, 0)
        case Status.STOPPED if known.suppressed and not others:
            # Once granted it is checked again: as long as the address is suppressed, it is stopped again.
            return Granted(Step.RENEW, 0)
        case _ if known.finished_at + policy.idempotency_ttl > now:
            return CONFLICT if others else Duplicate(changed)
        case _ if known.finished_at >= ended_before(origin.stored_at, policy.idempotency_ttl):
            return CONFLICT if others else Duplicate(changed)
        case _:
            return Granted(Step.RENEW, 0)


def _differ(known: int | None, asked: int) -> bool:
    return known is not None and known != asked


def ended_before(stored_at: float, idempotency_ttl: float) -> float:
    """The time before which a uuid must have ended for a mail with that uuid to count as published again (Unix seconds).

    A delivery whose ack was lost may be redelivered any time later, but was stored before the outcome. A publisher that
    reuses a uuid after its window stores the mail at least one window after the outcome. The limit is halfway between the
    two, since `stored_at` is by the source's clock and the outcome by ours: they may differ by half a window.
    """
    return stored_at - idempotency_ttl / 2


def _resolve(known: Known, policy: Policy, now: float, events_since: float) -> Granted | InDoubt | Parked:
    if now < max(known.claimed_at, events_since) + policy.in_doubt_grace:
        return InDoubt("waiting for an event from SES")
    spent = known.attempts + 1  # the attempt in doubt counts
    if policy.in_doubt == "park":
        return Parked(f"in doubt, and no event from SES arrived within {policy.in_doubt_grace:g} s")
    if spent >= policy.max_attempts:
        return Parked(f"in doubt after {spent} attempts, and no event from SES arrived")
    return Granted(Step.RECLAIM, spent)
