"""Rows of the suppression list, read and written within the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import aiosqlite
import orjson

from email_consumer.suppression import statements
from email_consumer.suppression.suppression import SOFT, Reason, Suppression, takes_effect

_MIRRORED = frozenset({Reason.COMPLAINT, Reason.HARD_BOUNCE})
"""Reasons that SES's list knows, too."""
_ALREADY_THERE = "OnAccountSuppressionList"


@dataclass(slots=True)
class Changes:
    """Changes of a transaction, to be passed to the gate after its commit."""

    suppressed: dict[str, str] = field(default_factory=dict)
    """Address to reason."""
    released: list[str] = field(default_factory=list)


class SuppressionRows:
    """The rules by which rows change. Stateless except for the settings."""

    def __init__(self, *, soft_bounce_limit: int, mirror: bool) -> None:
        """A `soft_bounce_limit` of 0 disables it; `mirror`: whether changes are mirrored to SES's list."""
        self._soft_bounce_limit = soft_bounce_limit
        self._mirror = mirror

    async def suppress(self, connection: aiosqlite.Connection, wanted: Iterable[Suppression], changes: Changes) -> None:
        """Add the suppressions that take effect."""
        wanted = list(wanted)
        if not wanted:
            return
        known = await find(connection, (each.address for each in wanted))
        for new in wanted:
            if takes_effect(known.get(new.address), new):
                known[new.address] = new
                await connection.execute(statements.PUT_SUPPRESSION, self._row(new))
                changes.suppressed[new.address] = new.reason

    async def remove(self, connection: aiosqlite.Connection, address: str, now: float, changes: Changes) -> bool:
        """Remove an address; False if it is not on the list."""
        row = {"address": address, "now": now, "mirror": "delete" if self._mirror else None}
        removed = (await connection.execute(statements.REMOVE_SUPPRESSION, row)).rowcount > 0
        if removed:
            changes.released.append(address)
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
        soft = {address for address, each in known.items() if each.active and each.reason is Reason.SOFT_BOUNCES}
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
            await connection.execute(statements.FORGET_SUPPRESSION, (address,))
            changes.suppressed.pop(address, None)
            changes.released.append(address)

    def _row(self, new: Suppression) -> dict[str, object]:
        mirrored = self._mirror and new.reason in _MIRRORED and _ALREADY_THERE not in new.detail
        return {
            "address": new.address,
            "reason": new.reason,
            "detail": new.detail,
            "source": new.source,
            "created_at": new.created_at,
            "mirror": "put" if mirrored else None,
        }


async def find(connection: aiosqlite.Connection, addresses: Iterable[str]) -> dict[str, Suppression]:
    """Known entries of the addresses, including removed ones."""
    rows = await connection.execute_fetchall(statements.FIND_SUPPRESSIONS, (_json(sorted(addresses)),))
    return {row["address"]: from_row(dict(row)) for row in rows}


def from_row(row: Mapping[str, object]) -> Suppression:
    """Read a row of the table."""
    return Suppression(
        address=str(row["address"]),
        reason=Reason(str(row["reason"])),
        detail=str(row["detail"]),
        source=str(row["source"]),
        created_at=float(str(row["created_at"])),
        removed_at=None if row["removed_at"] is None else float(str(row["removed_at"])),
    )


def _json(values: list[str]) -> str:
    return orjson.dumps(values).decode()
