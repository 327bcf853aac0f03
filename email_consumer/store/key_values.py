"""The table `facts`: small durable values by name."""

from collections.abc import Callable

from email_consumer.store.database import Database


async def keep_fact(database: Database, name: str, make: Callable[[], str]) -> str:
    """The stored value; created if missing."""
    async with database.transaction() as connection:
        await connection.execute("INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)", (name, make()))
        rows = await connection.execute_fetchall("SELECT value FROM facts WHERE name = ?", (name,))
    return str(next(iter(rows))[0])


async def set_fact(database: Database, name: str, value: str) -> None:
    """Store the fact, whatever it was."""
    async with database.transaction() as connection:
        await connection.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))


async def read_fact(database: Database, name: str) -> str | None:
    """The fact's value, if there is one."""
    rows = await database.fetch("SELECT value FROM facts WHERE name = ?", (name,))
    return str(rows[0][0]) if rows else None
