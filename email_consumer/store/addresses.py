"""Addresses in the tables: one normal form, known to SQL by the name of the function that makes it.

`email_requests.email` stays as the publisher wrote it, since the mail is sent by it; `address` repeats it in normal form
where that differs, so `coalesce(address, email)` is what to compare. The writer ensures that, whatever statement
inserts the row.
"""

import aiosqlite

from email_consumer.message.address import normal_form
from email_consumer.store.mentions import json_mentions, mentions

_TRIGGER = """
CREATE TEMP TRIGGER address_of_request AFTER INSERT ON main.email_requests
WHEN new.address IS NULL AND new.email GLOB '*[^-a-z0-9.@_+]*' BEGIN
    UPDATE email_requests SET address = nullif(normal_form(new.email), new.email) WHERE id = new.id;
END
"""
"""Temporary, so that a program without our functions can write to the file. The condition spares most addresses the call."""


async def add_functions(connection: aiosqlite.Connection) -> None:
    """Let the connection's statements call `normal_form`, `mentions` and `json_mentions`."""
    await connection.create_function("normal_form", 1, _normal_form, deterministic=True)
    await connection.create_function("mentions", 2, mentions, deterministic=True)
    await connection.create_function("json_mentions", 2, json_mentions, deterministic=True)


async def keep_normal_forms(writer: aiosqlite.Connection) -> None:
    """From here on every mail's row that the connection inserts gets its `address`."""
    await writer.execute(_TRIGGER)


def _normal_form(text: str) -> str:
    """What is no address is compared as it is: rows of earlier versions may hold anything."""
    try:
        return normal_form(text)
    except ValueError:
        return text
