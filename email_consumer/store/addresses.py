"""Normal form of addresses in the tables, available in SQL as a function.

`email_requests.email` is what the publisher wrote, and mail is sent to it; `address` is its normal form if that differs,
so compare `coalesce(address, email)`. A trigger of the writer sets it for every inserted row.
"""

import aiosqlite

from email_consumer.message.address import normal_form
from email_consumer.store.mail_index import CATCH_UP
from email_consumer.store.mentions import json_mentions, mentions

_TRIGGER = """
CREATE TEMP TRIGGER address_of_request AFTER INSERT ON main.email_requests
WHEN new.address IS NULL AND new.email GLOB '*[^-a-z0-9.@_+]*' BEGIN
    UPDATE email_requests SET address = nullif(normal_form(new.email), new.email) WHERE id = new.id;
END
"""
"""Temporary, so that programs without our functions can write to the file. The condition avoids most calls."""


async def add_functions(connection: aiosqlite.Connection) -> None:
    """Define the SQL functions `normal_form`, `mentions` and `json_mentions` on the connection."""
    await connection.create_function("normal_form", 1, _normal_form, deterministic=True)
    await connection.create_function("mentions", 2, mentions, deterministic=True)
    await connection.create_function("json_mentions", 2, json_mentions, deterministic=True)


async def keep_addresses(writer: aiosqlite.Connection) -> None:
    """Index all addresses in the file, and set `address` in every mail row that the connection inserts from now on."""
    await writer.executescript(f"BEGIN IMMEDIATE; {CATCH_UP} COMMIT; {_TRIGGER};")


def _normal_form(text: str) -> str:
    """Invalid addresses are compared unchanged: rows of earlier versions may contain anything."""
    try:
        return normal_form(text)
    except ValueError:
        return text
