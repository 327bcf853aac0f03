"""One suppressed address, and which of several reasons for it counts."""

from dataclasses import dataclass
from enum import StrEnum

SOFT = "Transient/MailboxFull"
"""The one kind of bounce that counts as soft, since it alone says something of the mailbox. SES calls most automatic
replies (out of office) `Transient/General`, as well as what it could not deliver for reasons of its own or of the network;
`MessageTooLarge`, `ContentRejected` and `AttachmentRejected` are about the mail, `CustomTimeoutExceeded` is about our setting."""


class Reason(StrEnum):
    """Why. The earlier in this list, the stronger: it replaces a weaker one."""

    COMPLAINT = "complaint"
    HARD_BOUNCE = "hard bounce"
    UNSUBSCRIBED = "unsubscribed"
    MANUAL = "manual"
    SOFT_BOUNCES = "soft bounces"
    """As many in a row as SOFT_BOUNCE_LIMIT says (see `SOFT`); a delivery between them starts the count anew."""


_STRENGTH = {reason: place for place, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True)
class Suppression:
    """Mail to the address is stopped, unless it was removed from the list again. Times are Unix seconds."""

    address: str
    """In normal form."""
    reason: Reason
    detail: str
    source: str
    """`event`, `recipient` or `api`."""
    created_at: float
    """When it happened, which may be long before we heard of it."""
    removed_at: float | None = None

    @property
    def active(self) -> bool:
        return self.removed_at is None


def takes_effect(known: Suppression | None, new: Suppression) -> bool:
    """Whether `new` replaces what is known of the address. In whatever order they come, the same one remains."""
    if known is None:
        return True
    if known.removed_at is not None:
        return new.created_at > known.removed_at
    if known.reason is new.reason is Reason.SOFT_BOUNCES:
        return new != known
    return _order(new) < _order(known)


def _order(suppression: Suppression) -> tuple[int, float, str]:
    return _STRENGTH[suppression.reason], suppression.created_at, suppression.detail
