"""An entry of the suppression list, which mail it stops, which of several reasons for it counts, and who must be notified.

An address may have several entries: one that stops all mail, one for bulk mail, one for each unsubscribe group, and one for each
tenant. They are added and removed independently, so a bounce that was cleared up does not undo an unsubscribe.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from email_consumer.core.words import Word

SOFT = "Transient/MailboxFull"
"""The only kind of bounce that counts as soft, because only it concerns the mailbox. SES uses `Transient/General` for most
automatic replies (out of office) and for its own and network problems; `MessageTooLarge`, `ContentRejected` and
`AttachmentRejected` concern the mail, `CustomTimeoutExceeded` our setting."""


class Reason(Word):
    """In descending priority: an earlier reason replaces a later one."""

    COMPLAINT = "complaint"
    HARD_BOUNCE = "hard bounce"
    UNSUBSCRIBED = "unsubscribed"
    MANUAL = "manual"
    SOFT_BOUNCES = "soft bounces"
    """SOFT_BOUNCE_LIMIT soft bounces in a row (see `SOFT`); a delivery in between restarts the count."""


EVERYTHING = "all"
"""The scope of an entry that stops mail in both lanes."""
BULK = "bulk"
"""The scope of an entry that stops all bulk mail; for a single group, `:` and its name follow."""
_TENANT = "tenant:"
"""What the scope of an entry begins with that stops all mail of one tenant; its name follows."""

_STRENGTH = {reason: place for place, reason in enumerate(Reason)}


class SuppressionGate(Protocol):
    """What stops mail to suppressed addresses; see `pipeline.gate` and `cluster.shared_state_publisher`."""

    def suppress(self, stops: Mapping[str, str]) -> None:
        """Stop mail. The values are reasons; the keys are as `stop_key` makes them."""

    def release(self, stop: str) -> None:
        """Undo what `suppress` did for this key."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Mail to the address is stopped, as far as its scope goes, unless the entry was removed. Times are Unix seconds."""

    address: str
    """In normal form."""
    reason: Reason
    detail: str
    source: str
    """`event`, `recipient` or `api`."""
    created_at: float
    """When it happened, which may be long before we learned of it."""
    removed_at: float | None = None
    group: str | None = None
    """The unsubscribe group whose bulk mail is stopped; None if the entry is not limited to a group."""
    tenant: str | None = None
    """The tenant whose mail is stopped; None if everybody's is. Such an entry has no group."""

    @property
    def active(self) -> bool:
        return self.removed_at is None

    @property
    def scope(self) -> str:
        """Which mail is stopped. Scopes sort from the widest to the narrowest."""
        if self.tenant is not None:
            return tenant_scope(self.tenant)
        if self.group is not None:
            return group_scope(self.group)
        return BULK if self.reason is Reason.UNSUBSCRIBED else EVERYTHING

    @property
    def stop_key(self) -> str:
        return stop_key(self.address, self.group, self.tenant)


def group_scope(group: str) -> str:
    """The scope of an entry that stops the bulk mail of one group."""
    return f"{BULK}:{group}"


def group_of(scope: str) -> str | None:
    """The group that a scope is limited to, if any."""
    return None if scope.startswith(_TENANT) else scope.partition(":")[2] or None


def tenant_scope(tenant: str) -> str:
    """The scope of an entry that stops all mail of one tenant."""
    return _TENANT + tenant


def tenant_of(scope: str) -> str | None:
    """The tenant that a scope is limited to, if any."""
    return scope.removeprefix(_TENANT) if scope.startswith(_TENANT) else None


def stop_key_of(address: str, scope: str) -> str:
    """The `stop_key` of the entry with this scope."""
    return stop_key(address, group_of(scope), tenant_of(scope))


def stop_key(address: str, group: str | None, tenant: str | None = None) -> str:
    """What the gate looks up: an address (in normal form), or one of its groups or tenants.

    The key of a group or tenant is no address. An address has one key for all mail and for all bulk mail, since workers of the previous
    version know no other: where only bulk mail is stopped, the reason is `unsubscribed`.
    """
    if tenant is not None:
        return f"{_TENANT}{tenant}\n{address}"
    return address if group is None else f"{group}\n{address}"


def stops(entries: Iterable[Suppression]) -> dict[str, str]:
    """The keys and reasons of the mail that active entries stop; see `stop_key`."""
    widest_last = sorted((each for each in entries if each.active), key=lambda each: each.scope, reverse=True)
    return {entry.stop_key: entry.reason for entry in widest_last}


def takes_effect(known: Suppression | None, new: Suppression) -> bool:
    """Whether `new` replaces the known entry of the same scope. The result does not depend on the order of events."""
    if known is None:
        return True
    if known.removed_at is not None:
        return new.created_at > known.removed_at
    if known.reason is new.reason is Reason.SOFT_BOUNCES:
        return new != known
    return _order(new) < _order(known)


def _order(suppression: Suppression) -> tuple[int, float, str]:
    return _STRENGTH[suppression.reason], suppression.created_at, suppression.detail
