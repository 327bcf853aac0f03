"""Whether a uuid may be claimed: the rule itself, apart from where rows are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal, Protocol

from email_consumer.core.ledger import Origin
from email_consumer.core.outcome import Busy, Conflict, Duplicate, InDoubt, Parked, Stopped, Unburied
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.message.model import EmailMessage
from email_consumer.store.status import Status

LEASE = 60.0
"""Seconds a claim is its holder's. A request is written in the first half or not at all."""

PATIENCE = 15.0
"""Seconds that a mail waits for a ledger that takes no claims: longer than most elections of NATS's servers."""


class Identified(Protocol):
    """A mail, as far as the rule cares."""

    @property
    def fingerprint(self) -> Fingerprint: ...


Stopper = Callable[[EmailMessage, Origin], Stopped | None]
"""What cancellations and the suppression list say of a mail, answered from memory."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are in seconds."""

    idempotency_ttl: float
    """How long a finished uuid is remembered, counted from its outcome."""
    in_doubt: Literal["resend", "park"]
    in_doubt_grace: float
    """How long SES's own event is waited for."""
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Takeover:
    """What was delivered before this ledger took the consumer over, and may have been sent by whoever had it."""

    sequence: int
    """The last sequence that had been delivered then."""
    since: float
    """When it was taken over, in Unix seconds."""
    stream: str = ""
    """Which stream of its name `sequence` counts in; empty where the version before noted it, which didn't say."""

    def covers(self, origin: Origin) -> bool:
        same = origin.stream == self.stream or not (origin.stream and self.stream)
        return origin.ordered and origin.received > 1 and same and origin.sequence <= self.sequence


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger holds of a uuid. Times are Unix seconds."""

    status: Status
    attempts: int
    in_doubt: bool
    claimed_at: float
    finished_at: float
    replay_of: str | None
    recipients: int | None = None
    """Whom it is for (`Fingerprint`); None where the version before wrote it."""
    content: int | None = None
    """What it says; None also where SES may have accepted it although it is Failed."""
    suppressed: bool = False
    """Stopped because of a suppression."""
    unburied: Unburied | None = None
    """Given up, and still without its dead letter."""


class Step(Enum):
    """What makes a granted claim true."""

    INSERT = auto()
    """Nothing is known: a new row."""
    RECLAIM = auto()
    """The row goes on."""
    RENEW = auto()
    """The uuid begins another life: a new row, the old one keeps its history."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The claim may be made; `spent` attempts were made before."""

    step: Step
    spent: int


CONFLICT = Conflict("its uuid stands for a mail to other recipients")

_NEW = Granted(Step.INSERT, 0)
"""What nearly every mail gets: one value for all, since to make a frozen one costs as much as the rest of the decision."""

Decision = Granted | Duplicate | Conflict | Busy | InDoubt | Parked | Unburied


def decide(
    known: Known | None, message: Identified, origin: Origin, policy: Policy, *, now: float, events_since: float
) -> Decision:
    """`events_since`: since when SES's events can reach us; a grace doesn't begin before (Unix seconds)."""
    if known is None:
        return _NEW
    if known.status >= Status.SENT:
        return _decide_on_finished(known, message.fingerprint, origin, policy, now)
    waited = origin.kept and known.status is Status.CREATED
    if _differ(known.recipients, message.fingerprint.recipients) and not waited:
        return CONFLICT
    if known.unburied:
        # Published again with another content it is tried again, as if it had failed already.
        changed = _differ(known.content, message.fingerprint.content)
        return Granted(Step.RECLAIM, 0) if changed else known.unburied
    if known.status is Status.CREATED:
        return Granted(Step.RECLAIM, known.attempts)
    return _resolve(known, policy, now, events_since) if known.in_doubt else Busy()


def duplicate_or_conflict(finished: Fingerprint, again: Fingerprint) -> Duplicate | Conflict:
    """What a mail is whose uuid was finished a short while ago."""
    return CONFLICT if again.recipients != finished.recipients else Duplicate(again.content != finished.content)


def _decide_on_finished(known: Known, asked: Fingerprint, origin: Origin, policy: Policy, now: float) -> Decision:
    others = _differ(known.recipients, asked.recipients)
    changed = _differ(known.content, asked.content)
    match known.status:
        case Status.FAILED if origin.replay_of and known.replay_of != origin.replay_of and not others:
            return Granted(Step.RECLAIM, 0)
        case Status.FAILED if changed or (others and known.content is not None):
            # Nobody got it. Published again as it was it would fail again; with an address put right, say, it may not.
            return Granted(Step.RENEW, 0)
        case Status.STOPPED if known.suppressed and not others:
            # Granted, it is asked about again: as long as the address is suppressed, it is stopped again.
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
    """When a uuid must have ended for a mail of that uuid to be one that was published again (Unix seconds).

    A delivery whose ack got lost comes again, however much later, and was stored before the outcome. Who publishes a uuid
    again, once its window is over, stores it a window later. This lies halfway between, since `stored_at` is by the
    source's clock and the outcome by ours: they may differ by half the window.
    """
    return stored_at - idempotency_ttl / 2


def _resolve(known: Known, policy: Policy, now: float, events_since: float) -> Granted | InDoubt | Parked:
    if now < max(known.claimed_at, events_since) + policy.in_doubt_grace:
        return InDoubt("waiting for SES's own event")
    spent = known.attempts + 1  # what is in doubt was an attempt
    if policy.in_doubt == "park":
        return Parked(f"in doubt, and no event of SES came within {policy.in_doubt_grace:g} s")
    if spent >= policy.max_attempts:
        return Parked(f"in doubt after {spent} attempts, and no event of SES came")
    return Granted(Step.RECLAIM, spent)
