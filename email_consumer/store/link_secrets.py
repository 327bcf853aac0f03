"""The stored link secrets: two values, because earlier versions had a single secret."""

import orjson

from email_consumer.core.link_secrets import new_secret
from email_consumer.store.database import Database

_READ = "SELECT value FROM facts WHERE name = ?"
_WRITE = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)"
_NEWEST, _OLDER = "secret", "older_secrets"


async def read_link_secrets(database: Database) -> tuple[str, ...]:
    """Newest first; empty if none exists yet."""
    newest = [str(row["value"]) for row in await database.fetch(_READ, (_NEWEST,))]
    older = [secret for row in await database.fetch(_READ, (_OLDER,)) for secret in orjson.loads(row["value"])]
    return (*newest, *older)


async def write_link_secrets(database: Database, kept: tuple[str, ...]) -> None:
    """Replace the secrets. `kept`: newest first, at least one."""
    newest, *older = kept
    async with database.transaction() as connection:
        await connection.execute(_WRITE, (_NEWEST, newest))
        await connection.execute(_WRITE, (_OLDER, orjson.dumps(older).decode()))


async def keep_link_secrets(database: Database) -> tuple[str, ...]:
    """Newest first; one is created if none exists yet."""
    kept = await read_link_secrets(database)
    if not kept:
        kept = (new_secret(),)
        await write_link_secrets(database, kept)
    return kept
