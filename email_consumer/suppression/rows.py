"""Rows of the suppression list, read and written within the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import aiosqlite
import orjson

from email_consumer.suppression import statements
from email_consumer.suppression.suppression import (
    EVERYTHING,
    SOFT,
    Reason,
    Suppression,
    group_of,
    stop_key_of,
    stops,
    takes_effect,
    tenant_of,
)

_MIRRORED = frozenset({Reason.COMPLAINT, Reason.HARD_BOUNCE})
"""Reasons that SES's list knows, too."""
_ALREADY_THERE = ("OnAccountSuppressionList", "OnTenantSuppressionList")


@dataclass(slots=True)
class Changes:
    """Changes of a transaction, to be passed to the gate after its commit."""

    suppressed: dict[str, str] = field(default_factory=dict)
    """`suppression.stop_key` to reason."""
    released: set[str] = field(default_factory=set)
    """Keys of what is no longer stopped."""

    def note(self, key: str, entries: Iterable[Suppression]) -> None:
        """Note that an entry with this key was added or removed; `entries` are all of its address now."""
        found = stops(entries)
        if key in found:
            self.suppressed[key] = found[key]
            self.released.discard(key)
        else:
            self.suppressed.pop(key, None)
            self.released.add(key)


class SuppressionRows:
    """The rules by which rows change. Stateless except for the settings."""

    def __init__(self, *, soft_bounce_limit: int, mirror: bool, by_tenant: bool = False) -> None:
        """A `soft_bounce_limit` of 0 disables it; `mirror`: whether changes are mirrored to SES's lists.

        `by_tenant`: whether hard bounces and complaints of a tenant's mail stop that tenant's mail alone, as SES keeps a list
        for each tenant.
        """
        self.by_tenant = by_tenant
        self._soft_bounce_limit = soft_bounce_limit
        self._mirror = mirror

    async def suppress(self, connection: aiosqlite.Connection, wanted: Iterable[Suppression], changes: Changes) -> None:
        """Add the suppressions that take effect."""
        wanted = list(wanted)
        if not wanted:
            return
        known = await find(connection, (each.address for each in wanted))
        for new in wanted:
            entries = known.setdefault(new.address, {})
            if takes_effect(entries.get(new.scope), new):
                entries[new.scope] = new
                await connection.execute(statements.PUT_SUPPRESSION, self._row(new))
                changes.note(new.stop_key, entries.values())

    async def remove(
        self, connection: aiosqlite.Connection, address: str, scope: str, now: float, changes: Changes
    ) -> bool:
        """Remove an address's entry of this scope; False if it is not on the list."""
        mirrored = self._mirror and (scope == EVERYTHING or (self.by_tenant and tenant_of(scope) is not None))
        row = {"address": address, "scope": scope, "now": now, "mirror": "delete" if mirrored else None}
        removed = (await connection.execute(statements.REMOVE_SUPPRESSION, row)).rowcount > 0
        if removed:
            await _note_removed(connection, address, scope, changes)
        return removed

    async def count_soft_bounces(
        self, connection: aiosqlite.Connection, bounced: set[str], delivered: set[str], changes: Changes
    ) -> None:
        """Suppress or release addresses after these results, which are already inserted.

        It depends on all recorded results, so their order of arrival does not matter.
        """
        if not self._soft_bounce_limit or not (bounced or delivered):
            return
        known = await find(connection, bounced | delivered)
        soft = {
            address
            for address, entries in known.items()
            if (entry := entries.get(EVERYTHING)) and entry.active and entry.reason is Reason.SOFT_BOUNCES
        }
        concerned = sorted(bounced | soft)
        if not concerned:
            return
        given = {"addresses": _json(concerned), "soft": SOFT}
        times: defaultdict[str, list[float]] = defaultdict(list)
        for row in await connection.execute_fetchall(statements.SOFT_BOUNCES, given):
            times[row["address"]].append(row["bounced_at"])
        limit = self._soft_bounce_limit
        full = [address for address in concerned if len(times[address]) >= limit]
        detail = f"{limit} in a row"
        new = [
            Suppression(address, Reason.SOFT_BOUNCES, detail, "event", times[address][limit - 1]) for address in full
        ]
        await self.suppress(connection, new, changes)
        for address in soft.difference(full):
            await connection.execute(statements.FORGET_SUPPRESSION, (address, EVERYTHING))
            await _note_removed(connection, address, EVERYTHING, changes)

    def _row(self, new: Suppression) -> dict[str, object]:
        known_there = new.tenant is None or self.by_tenant
        listed = any(subtype in new.detail for subtype in _ALREADY_THERE)
        mirrored = self._mirror and known_there and new.reason in _MIRRORED and not listed
        return {
            "address": new.address,
            "scope": new.scope,
            "reason": new.reason,
            "detail": new.detail,
            "source": new.source,
            "created_at": new.created_at,
            "mirror": "put" if mirrored else None,
        }


async def _note_removed(connection: aiosqlite.Connection, address: str, scope: str, changes: Changes) -> None:
    left = (await find(connection, [address])).get(address, {})
    changes.note(stop_key_of(address, scope), left.values())


async def find(connection: aiosqlite.Connection, addresses: Iterable[str]) -> dict[str, dict[str, Suppression]]:
    """Known entries of the addresses, by address and scope, including removed ones."""
    found: dict[str, dict[str, Suppression]] = {}
    for row in await connection.execute_fetchall(statements.FIND_SUPPRESSIONS, (_json(sorted(addresses)),)):
        found.setdefault(row["address"], {})[row["scope"]] = from_row(dict(row))
    return found


def from_row(row: Mapping[str, object]) -> Suppression:
    """Read a row of the table."""
    return Suppression(
        address=str(row["address"]),
        reason=Reason(str(row["reason"])),
        detail=str(row["detail"]),
        source=str(row["source"]),
        created_at=float(str(row["created_at"])),
        removed_at=None if row["removed_at"] is None else float(str(row["removed_at"])),
        group=group_of(str(row["scope"])),
        tenant=tenant_of(str(row["scope"])),
    )


def _json(values: list[str]) -> str:
    return orjson.dumps(values).decode()
