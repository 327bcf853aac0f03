"""Which rows change, noted in the transaction that changes them.

The triggers are temporary: they belong to the writer's connection, so a file that is not copied pays nothing for them.
"""

from dataclasses import dataclass

import aiosqlite

from email_consumer.store.database import Database

CHANGES = "replica_changes"
"""The table of what is still to be copied."""

_STARTED = "SELECT 1 FROM facts WHERE name = 'replica'"


@dataclass(frozen=True, slots=True)
class Table:
    """One copied table."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    """Its primary key's columns."""


async def tables(connection: aiosqlite.Connection) -> list[Table]:
    """All tables but the one of changes."""
    names = await connection.execute_fetchall(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> ? ORDER BY name",
        (CHANGES,),
    )
    found = []
    for (name,) in names:
        columns = list(await connection.execute_fetchall(f"PRAGMA table_info({name})"))
        keys = sorted((column["pk"], column["name"]) for column in columns if column["pk"])
        found.append(Table(name, tuple(column["name"] for column in columns), tuple(column for _, column in keys)))
    return found


async def copied_before(database: Database) -> bool:
    """Whether a copy of this very file was begun, or it was made again from one."""
    return bool(await database.fetch(_STARTED))


async def capture(database: Database) -> list[Table]:
    """From here on every change by our writer is noted; what the copy lacks so far is noted as well."""
    async with database.transaction() as connection:
        copied = await tables(connection)
        for table in copied:
            for event, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
                await connection.execute(_trigger(table, event, row))
        started = await connection.execute_fetchall(_STARTED)
        if not list(started):
            for table in copied:
                await connection.execute(
                    f"INSERT INTO {CHANGES} (name, key) SELECT '{table.name}', {_key(table, '')} FROM {table.name}"  # noqa: S608 - names of our own tables
                )
            await connection.execute("INSERT INTO facts (name, value) VALUES ('replica', 'started')")
    return copied


def _trigger(table: Table, event: str, row: str) -> str:
    # No statement of ours changes a primary key. What is noted and not there any more is told as gone.
    return f"""
    CREATE TEMP TRIGGER IF NOT EXISTS replica_{table.name}_{event} AFTER {event} ON main.{table.name} BEGIN
        INSERT INTO {CHANGES} (name, key) VALUES ('{table.name}', {_key(table, row + ".")});
    END"""  # noqa: S608 - names of our own tables


def _key(table: Table, prefix: str) -> str:
    return "json_array(" + ", ".join(f"{prefix}{column}" for column in table.key) + ")"
