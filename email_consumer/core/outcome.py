"""The closed set of what can become of a delivery.

A stage returns one of these values; `settlement.py` alone turns them into ack, nak or term.
"""

from dataclasses import dataclass
from enum import StrEnum


class StopReason(StrEnum):
    """Why a mail was deliberately not sent."""

    CANCELLED = "cancelled"
    """Its topic was cancelled after the mail was stored."""
    SUPPRESSED = "suppressed"
    """Its recipient, `email`, is on the suppression list."""
    EXPIRED = "expired"
    """Its `expires_at` had passed before it could be sent."""
    MISFIRED = "misfired"
    """It became due while nothing ran, and the misfire policy says to skip such mail."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A copy, in cc or bcc, that is not sent, while the mail goes to all others."""

    address: str
    """In normal form."""
    reason: str
    """Why the address is on the suppression list."""


@dataclass(frozen=True, slots=True)
class Sent:
    """SES accepted the mail. Ack; an attempt."""

    message_id: str
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The uuid was finished for the same recipients inside the idempotency window. Ack, nothing sent."""

    changed: bool = False
    """It says something else by now, as it does where publishers render again on each retry."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The uuid stands for a mail to other recipients. Dead letter, term; no attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The mail is due later and now lies durably in the schedule. Ack."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The mail shall not be sent. Ack."""

    reason: StopReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A transient failure: the mail was certainly not accepted and may be tried again. Nak; an attempt."""

    reason: str
    outage: bool = False
    """Whether it is a failure of SES itself (5xx), in which any mail would have ended."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """SES asked us to slow down. Nak, no attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """An error of ours (credentials, paused account, unverified sender), or an outage of SES. Nak, no attempt.

    The pacer holds the whole queue until a probe goes through.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Shutdown, or a claim too old to act on, came before the request was written. Nak, no attempt."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The same uuid is in hand elsewhere. Nak, no attempt."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """SES may or may not have accepted the mail. Nak, no attempt, until an event or the policy decides."""

    reason: str
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A permanent rejection by SES. Dead letter, term; an attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The last allowed attempt failed. Dead letter, term; an attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Parked:
    """In doubt for longer than the grace, and the policy is `park`. Dead letter, term."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unburied:
    """Given up, and its dead letter finds no place at present. Nak; the attempt is spent, and none follows."""

    verdict: Rejected | Exhausted
    attempts: int
    """That were made."""


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Poison: not a message, or not a valid one. The raw bytes become a dead letter, term at once."""

    reason: str


SendResult = Sent | Failed | Throttled | Held | InDoubt | Rejected
"""What one call of SES can end in."""

Outcome = (
    SendResult
    | Duplicate
    | Conflict
    | Scheduled
    | Stopped
    | Interrupted
    | Busy
    | Exhausted
    | Parked
    | Unburied
    | Undecodable
)

SENT_BACK: tuple[type[Outcome], ...] = (Failed, Throttled, Held, Interrupted, Busy, InDoubt, Unburied)
"""Those after which the mail is delivered again."""
