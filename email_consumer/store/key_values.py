"""Durable values by name, in the table `facts`."""

from collections.abc import Callable

from email_consumer.store.database import Database


async def ensure_value(database: Database, name: str, make: Callable[[], str]) -> str:
    """The value; created with `make` and stored if missing."""
    async with database.transaction() as connection:
        await connection.execute("INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)", (name, make()))
        rows = await connection.execute_fetchall("SELECT value FROM facts WHERE name = ?", (name,))
    return str(next(iter(rows))[0])


async def write_value(database: Database, name: str, value: str) -> None:
    """Store a value, replacing any earlier one."""
    async with database.transaction() as connection:
        await connection.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))


async def read_value(database: Database, name: str) -> str | None:
    """The value, if it exists."""
    rows = await database.fetch("SELECT value FROM facts WHERE name = ?", (name,))
    return str(rows[0][0]) if rows else None
