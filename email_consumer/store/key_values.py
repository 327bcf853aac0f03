"""Durable values by name, in the table `facts`."""

from collections.abc import Callable, Iterable, Mapping

from email_consumer.store.database import Database

_READ = "SELECT value FROM facts WHERE name = ?"
_READ_GROUP = "SELECT name, value FROM facts WHERE name >= ? AND name < ?"
_CREATE = "INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)"
WRITE_VALUE = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)"
"""SQL, for those who write a value within another transaction."""
DELETE_VALUE = "DELETE FROM facts WHERE name = ?"


async def ensure_value(database: Database, name: str, make: Callable[[], str]) -> str:
    """The value; created with `make` and stored if missing."""
    async with database.transaction() as connection:
        await connection.execute(_CREATE, (name, make()))
        rows = await connection.execute_fetchall(_READ, (name,))
    return str(next(iter(rows))[0])


async def write_value(database: Database, name: str, value: str) -> None:
    """Store a value, replacing any earlier one."""
    await write_values(database, {name: value})


async def write_values(database: Database, values: Mapping[str, str]) -> None:
    """Store all values by name, or none; they replace earlier ones."""
    async with database.transaction() as connection:
        await connection.executemany(WRITE_VALUE, values.items())


async def read_value(database: Database, name: str) -> str | None:
    """The value, if it exists."""
    rows = await database.fetch(_READ, (name,))
    return str(rows[0][0]) if rows else None


async def read_group(database: Database, prefix: str) -> dict[str, str]:
    """All values whose names start with `prefix`, by name."""
    rows = await database.fetch(_READ_GROUP, (prefix, f"{prefix}~"))
    return {row["name"]: row["value"] for row in rows}


async def delete_values(database: Database, names: Iterable[str]) -> None:
    """Delete the values, as far as they exist."""
    async with database.transaction() as connection:
        await connection.executemany(DELETE_VALUE, ((name,) for name in names))
