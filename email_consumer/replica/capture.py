"""Records which rows change, in the transaction that changes them.

The triggers are temporary objects of the writer's connection, so a file that is not copied has no overhead.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from sqlite3 import Row

import aiosqlite

from email_consumer.store.database import Database

CHANGES = "replica_changes"
"""The table of pending changes."""
PROGRESS = "replica_progress"
_NOT_COPIED = (
    CHANGES,
    PROGRESS,
    "mail_addresses",
    "mail_addresses_progress",
    "mail_domains",
    "mail_incidents",
    "mail_topics",
)
"""Our own, and the indexes of mail, which are made again from the rows."""
KEY = "replica_key"
"""Result column with the primary key of a row, as JSON."""


@dataclass(frozen=True, slots=True)
class Table:
    """One copied table."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    """Columns of its primary key."""

    def key_of(self, row: str) -> str:
        """SQL for the key of `row` (an alias) as JSON."""
        return "json_array(" + ", ".join(f"{row}.{column}" for column in self.key) + ")"

    def key_from(self, text: str) -> str:
        """SQL for the values of a key, from SQL for its JSON."""
        return ", ".join(f"json_extract({text}, '$[{number}]')" for number in range(len(self.key)))


async def tables(connection: aiosqlite.Connection) -> list[Table]:
    """All copied tables, referenced tables before those that reference them."""
    names = await connection.execute_fetchall(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN (?, ?, ?, ?, ?, ?, ?)"
        " ORDER BY name",
        _NOT_COPIED,
    )
    found: dict[str, Table] = {}
    order: TopologicalSorter[str] = TopologicalSorter()
    for (name,) in names:
        columns = list(await connection.execute_fetchall(f"PRAGMA table_info({name})"))
        keys = sorted((column["pk"], column["name"]) for column in columns if column["pk"])
        found[name] = Table(name, tuple(column["name"] for column in columns), tuple(column for _, column in keys))
        parents = await connection.execute_fetchall(f"PRAGMA foreign_key_list({name})")
        order.add(name, *(parent["table"] for parent in parents if parent["table"] != name))
    return [found[name] for name in order.static_order()]


async def capture(database: Database) -> list[Table]:
    """Record every change by our writer from now on."""
    async with database.transaction() as connection:
        copied = await tables(connection)
        for table in copied:
            for event, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
                await connection.execute(_trigger(table, event, row))
    return copied


async def changed_rows(database: Database, table: Table, up_to: int) -> AsyncIterator[tuple[str, Row | None]]:
    """Key and current state (None: deleted) of the rows of a table that changed, up to that change."""
    # No statement changes a primary key.
    matches = " AND ".join(
        f"row.{column} = json_extract(change.key, '$[{number}]')" for number, column in enumerate(table.key)
    )
    sql = f"""
        SELECT change.key AS {KEY}, row.* FROM (SELECT DISTINCT key FROM {CHANGES} WHERE name = ? AND seq <= ?) AS change
        LEFT JOIN {table.name} AS row ON {matches}"""  # noqa: S608 - our table names
    async with database.cursors.execute(sql, (table.name, up_to)) as cursor:
        async for row in cursor:
            yield row[KEY], row if row[table.key[0]] is not None else None


async def next_rows(database: Database, table: Table, after: str | None, limit: int) -> AsyncIterator[tuple[str, Row]]:
    """At most `limit` rows of a table in key order, after the key `after` (JSON) or from the first row."""
    columns = ", ".join(f"row.{column}" for column in table.key)
    where = "" if after is None else f"WHERE ({columns}) > ({table.key_from(':after')})"
    sql = f"""
        SELECT {table.key_of("row")} AS {KEY}, row.* FROM {table.name} AS row {where}
        ORDER BY {columns} LIMIT :limit"""  # noqa: S608 - our table names
    async with database.cursors.execute(sql, {"after": after, "limit": limit}) as cursor:
        async for row in cursor:
            yield row[KEY], row


async def count_rows(database: Database, copied: Iterable[Table]) -> tuple[dict[str, int], int]:
    """The number of rows by table, and of pending changes, from one snapshot."""
    counts = ", ".join(f"(SELECT count(*) FROM {table.name})" for table in copied)  # noqa: S608 - our table names
    ((*rows, changes),) = await database.fetch(f"SELECT {counts}, (SELECT count(*) FROM {CHANGES})")  # noqa: S608 - our table names
    return dict(zip((table.name for table in copied), rows, strict=True)), changes


def _trigger(table: Table, event: str, row: str) -> str:
    return f"""
    CREATE TEMP TRIGGER IF NOT EXISTS replica_{table.name}_{event} AFTER {event} ON main.{table.name} BEGIN
        INSERT INTO {CHANGES} (name, key) VALUES ('{table.name}', {table.key_of(row)});
    END"""  # noqa: S608 - our table names
