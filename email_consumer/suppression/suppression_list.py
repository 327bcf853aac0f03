"""The suppression list as operators and recipients use it; events write to it by themselves (see `application`)."""

import time

import structlog

from email_consumer.store.database import Database
from email_consumer.suppression import statements
from email_consumer.suppression.gate import SuppressionGate
from email_consumer.suppression.rows import Changes, SuppressionRows, find, from_row
from email_consumer.suppression.suppression import Reason, Suppression

_log = structlog.get_logger(__name__)


class SuppressionList:
    """Each change is durable, and known to the gate, when its method returns."""

    def __init__(self, database: Database, rows: SuppressionRows, gate: SuppressionGate) -> None:
        self._database = database
        self._rows = rows
        self._gate = gate

    async def load(self) -> int:
        """Tell the gate the whole list; how many there are. To be called before mail is taken in."""
        rows = await self._database.fetch(statements.ACTIVE_SUPPRESSIONS)
        self._gate.suppress({row["address"]: row["reason"] for row in rows})
        # The workers' gate outlives us, and we may have ended before it heard of a removal.
        for removed in await self._database.fetch(statements.REMOVED_SUPPRESSIONS):
            self._gate.release(removed["address"])
        return len(rows)

    async def add(self, address: str, reason: Reason, detail: str, source: str) -> Suppression:
        """Put an address (in normal form) on the list; the entry in force, which may be an earlier one.

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
        """Let mail to the address (in normal form) pass again; False if it wasn't on the list.

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
        """Up to `limit` entries behind the address `after`, in the order of addresses."""
        parameters = {"after": after, "limit": limit, "reason": reason}
        rows = await self._database.fetch(statements.PAGE_OF_SUPPRESSIONS, parameters)
        return [from_row(dict(row)) for row in rows]

    async def get(self, address: str) -> Suppression | None:
        """The entry of one address; None if mail to it passes."""
        found = (await find(self._database.reader, [address])).get(address)
        return found if found and found.active else None
