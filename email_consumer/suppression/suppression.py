"""A suppressed address, which of several reasons for it counts, and who must be notified of changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

SOFT = "Transient/MailboxFull"
"""The only kind of bounce that counts as soft, because only it concerns the mailbox. SES uses `Transient/General` for most
automatic replies (out of office) and for its own and network problems; `MessageTooLarge`, `ContentRejected` and
`AttachmentRejected` concern the mail, `CustomTimeoutExceeded` our setting."""


class Reason(StrEnum):
    """In descending priority: an earlier reason replaces a later one."""

    COMPLAINT = "complaint"
    HARD_BOUNCE = "hard bounce"
    UNSUBSCRIBED = "unsubscribed"
    MANUAL = "manual"
    SOFT_BOUNCES = "soft bounces"
    """SOFT_BOUNCE_LIMIT soft bounces in a row (see `SOFT`); a delivery in between restarts the count."""


_STRENGTH = {reason: place for place, reason in enumerate(Reason)}


class SuppressionGate(Protocol):
    """What stops mail to suppressed addresses; see `pipeline.gate` and `cluster.shared_state_publisher`."""

    def suppress(self, addresses: Mapping[str, str]) -> None:
        """Stop mail to these addresses, given with their reasons."""

    def release(self, address: str) -> None:
        """Allow mail to the address again."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Mail to the address is stopped unless the entry was removed. Times are Unix seconds."""

    address: str
    """In normal form."""
    reason: Reason
    detail: str
    source: str
    """`event`, `recipient` or `api`."""
    created_at: float
    """When it happened, which may be long before we learned of it."""
    removed_at: float | None = None

    @property
    def active(self) -> bool:
        return self.removed_at is None


def takes_effect(known: Suppression | None, new: Suppression) -> bool:
    """Whether `new` replaces the known entry. The result does not depend on the order of events."""
    if known is None:
        return True
    if known.removed_at is not None:
        return new.created_at > known.removed_at
    if known.reason is new.reason is Reason.SOFT_BOUNCES:
        return new != known
    return _order(new) < _order(known)


def _order(suppression: Suppression) -> tuple[int, float, str]:
    return _STRENGTH[suppression.reason], suppression.created_at, suppression.detail
