"""The stored link secrets: two values, because earlier versions had a single secret."""

import orjson

from email_consumer.core.link_secrets import new_secret
from email_consumer.store.database import Database
from email_consumer.store.key_values import read_value, write_values

_NEWEST, _OLDER = "secret", "older_secrets"


async def read_link_secrets(database: Database) -> tuple[str, ...]:
    """Newest first; empty if none exists yet."""
    newest, older = await read_value(database, _NEWEST), await read_value(database, _OLDER)
    return (*([] if newest is None else [newest]), *orjson.loads(older or "[]"))


async def write_link_secrets(database: Database, kept: tuple[str, ...]) -> None:
    """Replace the secrets. `kept`: newest first, at least one."""
    newest, *older = kept
    await write_values(database, {_NEWEST: newest, _OLDER: orjson.dumps(older).decode()})


async def keep_link_secrets(database: Database) -> tuple[str, ...]:
    """Newest first; one is created if none exists yet."""
    kept = await read_link_secrets(database)
    if not kept:
        kept = (new_secret(),)
        await write_link_secrets(database, kept)
    return kept
