"""Sums by day of what SES reported: made from the results, many at a time, and each result once."""

import asyncio
from collections.abc import Sequence

import aiosqlite

from email_consumer.store.database import Database

_STEP = 5_000
"""Results in a transaction, which takes some milliseconds."""


class ResultSums:
    """Of some tables, with a table of one row that says up to which result they are sums."""

    def __init__(self, progress: str, add: Sequence[str], tables: Sequence[str]) -> None:
        """Name them.

        Args:
            progress: the table of one row.
            add: statements that add the results after the id `:after`, up to `:until`.
            tables: with a column `day` (Unix time / 86400).
        """
        self._add = add
        self._forget = [f"DELETE FROM {table} WHERE day < ?" for table in tables]  # noqa: S608 - constants
        last = "(SELECT coalesce(max(id), 0) AS last FROM email_results)"
        self._progress = f"SELECT min(last_id, last) AS after, last FROM {progress}, {last}"  # noqa: S608 - constants
        self._move_on = f"UPDATE {progress} SET last_id = ?"  # noqa: S608 - constants
        # Ids start again from 1 once all results were deleted.
        self._rewind = f"UPDATE {progress} SET last_id = min(last_id, {last})"  # noqa: S608 - constants

    async def update(self, database: Database) -> None:
        """Add the results that are not in the sums yet, with pauses.

        Raises:
            sqlite3.OperationalError: the file accepts no writes at present.
        """
        while True:
            async with database.transaction() as connection:
                if not await self._add_some(connection):
                    return
            await asyncio.sleep(0)

    async def forget(self, connection: aiosqlite.Connection, cutoff: float) -> None:
        """Within a transaction: delete days before `cutoff` (Unix seconds). To be called after results were deleted."""
        await connection.execute(self._rewind)
        for statement in self._forget:
            await connection.execute(statement, (int(cutoff) // 86_400,))

    async def _add_some(self, connection: aiosqlite.Connection) -> bool:
        """Whether there are more."""
        [(after, last)] = await connection.execute_fetchall(self._progress)
        until = min(after + _STEP, last)
        if until > after:
            for statement in self._add:
                await connection.execute(statement, {"after": after, "until": until})
        await connection.execute(self._move_on, (until,))
        return bool(until < last)
