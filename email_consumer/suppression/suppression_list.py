"""The suppression list for operators and recipients; events write to it directly (see `feedback.application`)."""

import time

import structlog

from email_consumer.store.database import Database
from email_consumer.suppression import statements
from email_consumer.suppression.rows import Changes, SuppressionRows, find, from_row
from email_consumer.suppression.suppression import Reason, Suppression, SuppressionGate

_log = structlog.get_logger(__name__)


class SuppressionList:
    """Changes are durable and known to the gate when a method returns."""

    def __init__(self, database: Database, rows: SuppressionRows, gate: SuppressionGate) -> None:
        self._database = database
        self._rows = rows
        self._gate = gate

    async def load(self) -> int:
        """Load the whole list into the gate, before mail is pulled; returns its size."""
        rows = await self._database.fetch(statements.ACTIVE_SUPPRESSIONS)
        self._gate.suppress({row["address"]: row["reason"] for row in rows})
        # The workers' gate outlives this process, which may have ended before publishing a removal.
        for removed in await self._database.fetch(statements.REMOVED_SUPPRESSIONS):
            self._gate.release(removed["address"])
        return len(rows)

    async def add(self, address: str, reason: Reason, detail: str, source: str) -> Suppression:
        """Add an address (in normal form); returns the entry in force, which may be an earlier one.

        Raises:
            sqlite3.OperationalError: nothing was written.
        """
        changes = Changes()
        async with self._database.transaction() as connection:
            new = Suppression(address, reason, detail, source, time.time())
            await self._rows.suppress(connection, [new], changes)
            in_force = (await find(connection, [address]))[address]
        self._gate.suppress(changes.suppressed)
        _log.info("suppression.added", addresses=len(changes.suppressed), reason=reason, source=source)
        return in_force

    async def remove(self, address: str) -> bool:
        """Remove an address (in normal form); False if it was not on the list.

        Raises:
            sqlite3.OperationalError: nothing was written.
        """
        changes = Changes()
        async with self._database.transaction() as connection:
            removed = await self._rows.remove(connection, address, time.time(), changes)
        if removed:
            self._gate.release(address)
            _log.info("suppression.removed")
        return removed

    async def page(self, limit: int, after: str = "", reason: Reason | None = None) -> list[Suppression]:
        """Up to `limit` entries after the address `after`, ordered by address."""
        parameters = {"after": after, "limit": limit, "reason": reason}
        rows = await self._database.fetch(statements.PAGE_OF_SUPPRESSIONS, parameters)
        return [from_row(dict(row)) for row in rows]

    async def get(self, address: str) -> Suppression | None:
        """The active entry of an address; None if it is not suppressed."""
        found = (await find(self._database.reader, [address])).get(address)
        return found if found and found.active else None
