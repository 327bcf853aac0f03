"""The closed set of outcomes of a delivery.

Stages return one of these values; only `pipeline.settlement` turns them into ack, nak or term.
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
    """Its `expires_at` passed before it could be sent."""
    MISFIRED = "misfired"
    """It became due while no process was running, and the misfire policy skips such mail."""
    SAFE_MODE = "safe_mode"
    """Safe mode is on, and its recipient is not among the allowed addresses."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A cc or bcc recipient that is left out, while the mail goes to all others."""

    address: str
    """In normal form."""
    reason: str
    """Why the address is on the suppression list, or that safe mode stops it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """SES accepted the mail. Ack; counts as an attempt."""

    message_id: str
    left_out: tuple[LeftOut, ...] = ()
    redirected_to: str = ""
    """The address that safe mode sent it to, in place of recipients that are not allowed; empty if it did not."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The uuid was finished for the same recipients within the idempotency window. Ack; nothing is sent."""

    changed: bool = False
    """Its content differs, as when a publisher renders the mail again for each retry."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The uuid belongs to a mail to other recipients. Dead letter, term; not an attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The mail is due later and is stored durably until then. Ack."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The mail must not be sent. Ack."""

    reason: StopReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A transient failure: SES certainly did not accept the mail, which may be retried. Nak; counts as an attempt."""

    reason: str
    outage: bool = False
    """Whether SES itself failed (5xx), as it would have for any mail."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """SES asked us to slow down. Nak; not an attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """An error on our side (credentials, paused account, unverified sender) or an outage of SES. Nak; not an attempt.

    The pacer holds all mail until a probe succeeds.
    """

    reason: str


TENANT_REFUSED = "SES does not send this mail for the tenant "
"""Start of the reason of `TenantRefused`."""


@dataclass(frozen=True, slots=True)
class TenantRefused:
    """SES does not send for the mail's tenant. Nak; not an attempt.

    The tenant is paused, unknown, or not associated with the sender or the configuration set. Other mail is not affected.
    """

    tenant: str
    reason: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The request was not written because of a shutdown or an expired claim. Nak; not an attempt."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The same uuid is being handled elsewhere. Nak; not an attempt."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """SES may or may not have accepted the mail. Nak; not an attempt until an event or the policy decides."""

    reason: str
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """SES rejected the mail permanently. Dead letter, term; counts as an attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The last allowed attempt failed. Dead letter, term; counts as an attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Parked:
    """In doubt for longer than the grace period, with the policy `park`. Dead letter, term."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetterPending:
    """Given up, but its dead letter could not be stored yet. Nak; the attempt counts, and no further one follows."""

    verdict: Rejected | Exhausted
    attempts: int
    """Attempts that were made."""


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Not a message, or an invalid one. The raw bytes become a dead letter; term at once."""

    reason: str


SendResult = Sent | Failed | Throttled | Held | TenantRefused | InDoubt | Rejected
"""The possible results of one call to SES."""

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
    | DeadLetterPending
    | Undecodable
)

SENT_BACK: tuple[type[Outcome], ...] = (
    Failed,
    Throttled,
    Held,
    TenantRefused,
    Interrupted,
    Busy,
    InDoubt,
    DeadLetterPending,
)
"""Outcomes after which the source redelivers the message."""
