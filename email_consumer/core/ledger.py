"""The ledger's contract: a durable claim right before sending, a durable outcome before settling.

SES has no idempotency token, so between "SES accepted" and "we wrote it down" lies a gap that no retry rule closes.
A claim that never got its outcome is *in doubt*: it waits for SES's own event, and after a grace the policy decides.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from email_consumer.core.outcome import (
    Busy,
    Conflict,
    Duplicate,
    InDoubt,
    Outcome,
    Parked,
    Scheduled,
    Stopped,
    Unburied,
)
from email_consumer.message.model import EmailMessage


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from, as far as the ledger cares."""

    source: str
    """`nats` or `sqs`."""
    reference: str
    """Names the message within its source, such as `messages:4711`."""
    sequence: int
    """Its place in the stream, from 1; 0 where the source keeps no order."""
    stored_at: float
    """When the source stored it, in Unix seconds."""
    received: int = 1
    """How often the source delivered it so far."""
    replay_of: str | None = None
    """The dead letter that was replayed, such as `messages-dead:12:1700000000.123456`: reopens a Failed uuid, once."""
    stream: str = ""
    """Which stream of its name `sequence` counts in; empty where that is not known."""
    kept: bool = False
    """Published from our own keeping, where erasure may have taken recipients off it."""

    @property
    def ordered(self) -> bool:
        """Whether `sequence` says what was stored earlier."""
        return self.sequence > 0


@dataclass(frozen=True, slots=True)
class Claim:
    """The uuid is ours, durably. Until `deadline` (event-loop clock, seconds) the request may be written."""

    attempt: int
    """The number of the attempt that now begins, from 1."""
    deadline: float


Refused = Duplicate | Conflict | Busy | InDoubt | Parked | Stopped | Unburied
"""Why a uuid can't be had."""

ClaimAnswer = Claim | Refused
ScheduleAnswer = Scheduled | Refused


class LedgerBlockedError(Exception):
    """The ledger takes nothing at present, and who asked has waited long enough; the text says why.

    What was to be claimed is not. What was to be finished is, as far as another attempt is concerned; but not everybody who
    has to know of it could be told, so the mail has to come again.
    """


class NotKeptError(Exception):
    """A mail that is due later can't be put into its place now; it may be later."""


class TooLargeToKeepError(Exception):
    """A mail that is due later is larger than the place that would keep it takes."""


class Ledger(Protocol):
    """Idempotency and status: one truth. What is written is durable when its method returns."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Claims are answered, and outcomes recorded, while the block lasts."""

    def events_expected_from(self, moment: float) -> None:
        """SES's events can reach us since `moment` (Unix seconds): no grace of a doubt begins earlier."""

    def known(self, message: EmailMessage) -> Duplicate | Conflict | None:
        """Answered from memory alone; None means: ask `claim`."""

    async def claim(self, message: EmailMessage, origin: Origin) -> ClaimAnswer:
        """Claim the uuid for one attempt.

        Raises:
            LedgerBlockedError: not now.
        """

    async def finish(self, message: EmailMessage, outcome: Outcome, origin: Origin) -> None:
        """Record what became of the message; an outcome that sends it back releases its claim.

        What was attempted waits here for as long as it takes: given back without its outcome it might be sent twice.

        Raises:
            LedgerBlockedError: it is recorded, but let the mail come again.
        """

    async def schedule(self, message: EmailMessage, origin: Origin) -> ScheduleAnswer:
        """Keep a mail that is due later.

        Raises:
            TooLargeToKeepError: it never can be, as things are.
            NotKeptError, LedgerBlockedError: not now.
        """
