"""The rebuilt file: rows are inserted in any order, and it reports what is missing."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from email_consumer.replica.capture import Table, tables
from email_consumer.replica.progress import CopyProgress, write_progress
from email_consumer.replica.row_reader import CopiedRow
from email_consumer.replica.stream import CopyMark, CopyState
from email_consumer.store.database import Database, open_database

_BATCH = 500
_NEEDED = ("ledger", "secret")
"""Values without which it would be a different file, or links in sent mail would not work."""
_LATE = 500
"""Rows that may have been copied before those they reference when the sidecar ended."""
UNMARKED = 7
"""Schema version of rows without a version: the latest at that time."""
_MARK_STARTED = "INSERT OR REPLACE INTO facts (name, value) VALUES ('replica', 'started')"
_SET_LEDGER = "INSERT OR REPLACE INTO facts (name, value) VALUES ('ledger', ?)"

Skip = Callable[[str, str], None]
"""Called with a table and the reason why one of its rows can't be inserted."""


class NewFile:
    """With one schema version."""

    def __init__(self, database: Database, copied: dict[str, Table], version: int, skip: Skip) -> None:
        self._database = database
        self._version = version
        self._tables = copied
        self._skip = skip
        self._waiting: list[CopiedRow] = []

    async def add(self, row: CopiedRow) -> None:
        """Queue a row for insertion."""
        self._waiting.append(row)
        if len(self._waiting) >= _BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Insert all queued rows."""
        rows, self._waiting = self._waiting, []
        for table, why in await self._database.call(lambda: partial(_insert, self._tables, rows)):
            self._skip(table, why)

    async def adopt(self, found: CopyState) -> None:
        """Continue that copy as its source file."""
        async with self._database.transaction() as connection:
            if self._version == UNMARKED:
                await connection.execute(_MARK_STARTED)
                return
            mark = found.mark or CopyMark("lost", self._version, "", {})
            if mark.ledger:
                await connection.execute(_SET_LEDGER, (mark.ledger,))
            unfinished = None if found.whole else next(iter(self._tables))
            await write_progress(
                connection, CopyProgress(mark.generation, mark.version, found.last_sequence, unfinished)
            )

    async def drop_late(self) -> None:
        """Drop rows without their parent: copied just before it, or just after its deletion, when the sidecar ended."""
        cascading = [
            (table, reference["id"])
            for table in self._tables
            for reference in await self._database.fetch(f"PRAGMA foreign_key_list({table})")
            if reference["on_delete"] == "CASCADE"
        ]
        violations = await self._database.fetch("PRAGMA foreign_key_check")
        late = [(row["table"], row["rowid"]) for row in violations if (row["table"], row["fkid"]) in cascading]
        if len(late) <= _LATE:
            async with self._database.transaction() as connection:
                for table, rowid in late:
                    await connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))  # noqa: S608 - our table names

    async def counts(self) -> Counter[str]:
        """Number of rows by table."""
        counts: Counter[str] = Counter()
        for name in self._tables:
            ((counts[name],),) = await self._database.fetch(f"SELECT count(*) FROM {name}")  # noqa: S608 - our table names
        return counts

    async def gaps(self) -> list[str]:
        """What is missing, judging by its rows."""
        names = {row["name"] for row in await self._database.fetch("SELECT name FROM facts")}
        gaps = [f"the value {name!r}" for name in _NEEDED if name not in names]
        violations = await self._database.fetch("PRAGMA foreign_key_check")
        for (table, parent), rows in Counter((row["table"], row["parent"]) for row in violations).items():
            gaps.append(f"rows of {parent} that {rows:,} rows of {table} reference")
        return gaps


@asynccontextmanager
async def new_file(path: Path, version: int, skip: Skip) -> AsyncIterator[NewFile]:
    """Open the unfinished file with that schema version."""
    async with open_database(path, foreign_keys="OFF", version=version) as database:
        triggers = await database.fetch("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        async with database.transaction() as connection:
            copied = {table.name: table for table in await tables(connection)}
            for trigger in triggers:  # the sums they maintain are copied, too
                await connection.execute(f"DROP TRIGGER {trigger['name']}")
        file = NewFile(database, copied, version, skip)
        yield file
        await file.flush()
        async with database.transaction() as connection:
            for trigger in triggers:
                await connection.execute(trigger["sql"])


def _insert(copied: dict[str, Table], rows: list[CopiedRow], connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The tables of rows that can't be inserted, with the reason."""
    refused = []
    for row in rows:
        table = copied.get(row.table)
        columns = [column for column in table.columns if column in row.values] if table else []
        if len(columns) != len(row.values) or not columns:
            refused.append((row.table, "unknown table or columns"))
            continue
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        values = [row.values[column] for column in columns]
        try:
            connection.execute(f"INSERT OR REPLACE INTO {row.table} ({names}) VALUES ({places})", values)  # noqa: S608 - our table names
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            refused.append((row.table, str(error)))
    return refused
