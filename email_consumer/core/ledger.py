"""The ledger's contract: a durable claim right before sending, a durable outcome before settling.

SES has no idempotency token, so no retry rule can close the gap between "SES accepted it" and "we recorded that".
A claim that never got an outcome is *in doubt*: it waits for an event from SES, and after a grace period the policy decides.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from email_consumer.core.outcome import (
    Busy,
    Conflict,
    DeadLetterPending,
    Duplicate,
    InDoubt,
    Outcome,
    Parked,
    Scheduled,
    Stopped,
)
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage

WINDOW = "window"
"""In place of a hold's key: what the mail waits for is its send window."""


@dataclass(slots=True)  # not frozen: it would take two microseconds longer to create, for every mail
class Origin:
    """Where a message came from, as far as the ledger needs to know."""

    source: str
    """`nats` or `sqs`."""
    reference: str
    """Identifies the message within its source, such as `messages:4711`."""
    sequence: int
    """Its position in the stream, from 1; 0 if the source keeps no order."""
    stored_at: float
    """When the source stored it, in Unix seconds."""
    received: int = 1
    """How often the source has delivered it, including this time."""
    replay_of: str | None = None
    """The replayed dead letter, such as `messages-dead:12:1700000000.123456`: reopens a Failed uuid, once."""
    stream: str = ""
    """Identity of the stream that `sequence` refers to; empty if unknown."""
    kept: bool = False
    """Published from our own tables, where an erasure may have removed recipients."""
    lane: Lane = Lane.BULK
    """The lane of the queue that it waited in."""
    traceparent: str | None = None
    """Names our span of the delivery, where the mail belongs to a trace; see `core.traceparent`."""

    @property
    def ordered(self) -> bool:
        """Whether `sequence` says what was stored earlier."""
        return self.sequence > 0


@dataclass(slots=True)
class Claim:
    """A durable claim on the uuid. The request may be written until `deadline` (by `runtime.clock.elapsed`)."""

    attempt: int
    """The number of the attempt that begins now, from 1."""
    deadline: float


Refused = Duplicate | Conflict | Busy | InDoubt | Parked | Stopped | DeadLetterPending
"""Why a uuid can't be claimed."""

ClaimAnswer = Claim | Refused
ScheduleAnswer = Scheduled | Refused


class LedgerBlockedError(Exception):
    """The ledger is unavailable, and the caller has waited long enough; the text says why.

    From `claim`: nothing was claimed. From `finish`: the outcome is recorded as far as further attempts are concerned, but
    has not reached everything that depends on it, so the message has to be redelivered.
    """


class NotKeptError(Exception):
    """Scheduled mail can't be stored at the moment."""


class TooLargeToKeepError(Exception):
    """Scheduled mail is larger than its storage accepts."""


class Ledger(Protocol):
    """The single source of truth for idempotency and status. Whatever a method writes is durable when it returns."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Claims are answered, and outcomes recorded, while the block lasts."""

    def events_expected_from(self, moment: float) -> None:
        """SES's events can reach us since `moment` (Unix seconds): no grace of a doubt begins earlier."""

    def known(self, message: EmailMessage) -> Duplicate | Conflict | None:
        """Look the uuid up in memory only; None means that `claim` has to decide."""

    async def claim(self, message: EmailMessage, origin: Origin) -> ClaimAnswer:
        """Claim the uuid for one attempt.

        Raises:
            LedgerBlockedError: not at the moment.
        """

    async def finish(self, message: EmailMessage, outcome: Outcome, origin: Origin) -> None:
        """Record the outcome of the message; an outcome after which it is redelivered releases the claim.

        After an attempt this waits for as long as necessary: a message returned without its outcome might be sent twice.

        Raises:
            LedgerBlockedError: the outcome is recorded, but the message has to be redelivered.
        """

    async def schedule(self, message: EmailMessage, origin: Origin, held_by: str | None = None) -> ScheduleAnswer:
        """Store a mail until it is due, or until no hold with the key `held_by` is active any more.

        With `WINDOW` as the key it waits until it is due, also if it was tried or published from the store before.

        Raises:
            TooLargeToKeepError: it can't be stored unless a limit is raised.
            NotKeptError, LedgerBlockedError: not at the moment.
        """
