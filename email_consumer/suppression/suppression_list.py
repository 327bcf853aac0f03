"""The suppression list for operators and recipients; events write to it directly (see `feedback.application`)."""

import math
import time
from dataclasses import replace

import structlog

from email_consumer.store.database import Database
from email_consumer.suppression import statements
from email_consumer.suppression.rows import Changes, SuppressionRows, find, from_row
from email_consumer.suppression.suppression import (
    EVERYTHING,
    Reason,
    Suppression,
    SuppressionGate,
    group_scope,
    stop_key_of,
    tenant_scope,
)

_AFTER_ALL = "~"
"""Sorts after each scope."""

_log = structlog.get_logger(__name__)


class SuppressionList:
    """Changes are durable and known to the gate when a method returns."""

    def __init__(self, database: Database, rows: SuppressionRows, gate: SuppressionGate) -> None:
        self._database = database
        self._rows = rows
        self._gate = gate

    async def load(self) -> int:
        """Load the whole list into the gate, before mail is pulled; returns the number of keys (see `stop_key`)."""
        rows = await self._database.fetch(statements.ACTIVE_SUPPRESSIONS)
        active = {stop_key_of(row["address"], row["scope"]): row["reason"] for row in rows}
        self._gate.suppress(active)
        # The workers' gate outlives this process, which may have ended before publishing a removal.
        for row in await self._database.fetch(statements.REMOVED_SUPPRESSIONS):
            if (key := stop_key_of(row["address"], row["scope"])) not in active:
                self._gate.release(key)
        return len(active)

    async def add(
        self,
        address: str,
        reason: Reason,
        detail: str,
        source: str,
        group: str | None = None,
        *,
        tenant: str | None = None,
    ) -> Suppression:
        """Add an address (in normal form); returns the entry of that scope in force, which may be an earlier one.

        At most one of `group` and `tenant` is given.

        Raises:
            sqlite3.OperationalError: nothing was written.
        """
        changes = Changes()
        async with self._database.transaction() as connection:
            new = Suppression(address, reason, detail, source, time.time(), group=group, tenant=tenant)
            former = (await find(connection, [address])).get(address, {}).get(new.scope)
            if former and former.removed_at is not None:  # this comes after it, though the clock may have been put back
                new = replace(new, created_at=max(new.created_at, math.nextafter(former.removed_at, math.inf)))
            await self._rows.suppress(connection, [new], changes)
            in_force = (await find(connection, [address]))[address][new.scope]
        if changes.suppressed:  # anyone with an unsubscribe link may use it again and again
            self._gate.suppress(changes.suppressed)
            _log.info("suppression.added", addresses=len(changes.suppressed), reason=reason, source=source)
        return in_force

    async def remove(self, address: str, scope: str = EVERYTHING) -> bool:
        """Remove an address's entry of this scope; False if it was not on the list. Its other entries stay.

        Raises:
            sqlite3.OperationalError: nothing was written.
        """
        changes = Changes()
        async with self._database.transaction() as connection:
            removed = await self._rows.remove(connection, address, scope, time.time(), changes)
        self._gate.suppress(changes.suppressed)
        for key in changes.released:
            self._gate.release(key)
        if removed:
            _log.info("suppression.removed")
        return removed

    async def page(
        self,
        limit: int,
        after: str = "",
        reason: Reason | None = None,
        group: str | None = None,
        *,
        tenant: str | None = None,
    ) -> list[Suppression]:
        """Up to `limit` entries after the place `after` (see `place`), ordered by address, the widest scope first.

        Only those of a group, or of a tenant, if one of the two is given.
        """
        address, _, scope = after.rpartition(" ")
        if not address or "@" in scope:  # an address; its entries come before this place
            address, scope = after, _AFTER_ALL
        parameters = {"address": address, "scope": scope, "limit": limit, "reason": reason}
        parameters["only"] = tenant_scope(tenant) if tenant else group and group_scope(group)
        rows = await self._database.fetch(statements.PAGE_OF_SUPPRESSIONS, parameters)
        return [from_row(dict(row)) for row in rows]

    async def entries(self, address: str) -> list[Suppression]:
        """The active entries of an address, the widest scope first."""
        found = (await find(self._database.reader, [address])).get(address, {})
        return [entry for _, entry in sorted(found.items()) if entry.active]


def place(entry: Suppression) -> str:
    """The place of an entry in the list, for `SuppressionList.page`."""
    return f"{entry.address} {entry.scope}"
