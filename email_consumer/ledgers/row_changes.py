"""The requests to the SQLite ledger, and how each outcome changes a mail's row."""

import re
from typing import NamedTuple

from email_consumer.core.ledger import Origin
from email_consumer.core.outcome import (
    DeadLetterPending,
    Exhausted,
    Failed,
    Held,
    InDoubt,
    Interrupted,
    Outcome,
    Parked,
    Rejected,
    Sent,
    Stopped,
    StopReason,
    TenantRefused,
    Throttled,
)
from email_consumer.message.model import EmailMessage
from email_consumer.store.status import Status

DEAD_LETTER_PENDING = "no place for its dead letter ("
"""Start of the error of a mail that was given up while its dead letter is not stored yet."""
_VERDICTS: dict[str, type[Rejected | Exhausted]] = {"rejected": Rejected, "exhausted": Exhausted}
_DEAD_LETTER_PENDING = re.compile(re.escape(DEAD_LETTER_PENDING) + r"(rejected|exhausted)\): (.*)", re.DOTALL)


def dead_letter_pending(status: Status, error: str | None, attempts: int) -> DeadLetterPending | None:
    """Read from a row or a record whether its mail was given up while its dead letter is not stored yet."""
    if status is not Status.CREATED or not error or not (found := _DEAD_LETTER_PENDING.fullmatch(error)):
        return None
    return DeadLetterPending(_VERDICTS[found[1]](found[2]), attempts)


class ClaimRequest(NamedTuple):
    message: EmailMessage
    origin: Origin


class FinishRequest(NamedTuple):
    message: EmailMessage
    origin: Origin
    outcome: Outcome


class ScheduleRequest(NamedTuple):
    message: EmailMessage
    origin: Origin
    held_by: str | None = None
    """The key of the hold that it waits for, if it does not wait for its time."""


class RowChange(NamedTuple):
    """One row's next state."""

    status: Status
    attempts: int = 0
    """Attempts spent."""
    in_doubt: bool = False
    message_id: str | None = None
    error: str | None = None
    remark: str | None = None
    """The outcome's name, if the row's history should contain it."""

    @property
    def final(self) -> bool:
        return self.status >= Status.SENT


def row_change(outcome: Outcome) -> RowChange:
    """The row's next state.

    Raises:
        TypeError: the outcome is not recorded in the ledger.
    """
    match outcome:
        case Sent(message_id, redirected_to=instead):
            note = f"safe mode: sent to {instead} instead" if instead else None
            return RowChange(Status.SENT, attempts=1, message_id=message_id, error=note)
        case Failed(reason):
            return RowChange(Status.CREATED, attempts=1, error=reason, remark="failed")
        case Throttled(reason) | Held(reason) | TenantRefused(reason=reason):
            return RowChange(Status.CREATED, error=reason)
        case Interrupted():
            return RowChange(Status.CREATED)
        case InDoubt(reason):
            return RowChange(Status.PROCESSED, in_doubt=True, error=reason, remark="in doubt")
        case Rejected(reason):
            return RowChange(Status.FAILED, attempts=1, error=reason, remark="rejected")
        case Exhausted(reason):
            return RowChange(Status.FAILED, attempts=1, error=reason, remark="exhausted")
        case DeadLetterPending(verdict):  # the final outcome is added to its history later
            kind = "rejected" if isinstance(verdict, Rejected) else "exhausted"
            return RowChange(Status.CREATED, attempts=1, error=f"{DEAD_LETTER_PENDING}{kind}): {verdict.reason}")
        case Parked(reason):
            return RowChange(Status.FAILED, error=reason, remark="parked")
        case Stopped(reason=StopReason.CANCELLED):
            return RowChange(Status.STOPPED, error=str(StopReason.CANCELLED))
        case Stopped(reason, detail):
            return RowChange(Status.STOPPED, error=f"{reason}: {detail}" if detail else str(reason))
        case _:
            raise TypeError(f"{outcome!r} is not recorded in the ledger")
