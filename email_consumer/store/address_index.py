"""Brings the index of mail by address up to date, many mails at a time between other writes.

Written with each claim it would cost a page of a large file per mail. Sorted by address, ten thousand mails share pages,
and no mail waits for it. Searches read the rows that are not in it yet, see `migrations/020_mail_addresses.sql`.
"""

import asyncio
import sqlite3
import time

import structlog

from email_consumer.store.database import Database

_ROWS = 10_000
"""Mails per transaction, which takes 20 to 50 milliseconds."""
_INTERVAL = 10.0
"""Seconds between two looks; at a thousand mails a second a search reads as many rows as a transaction takes."""
_SHARE = 0.2
"""Maximum share of the writer's time while more than one transaction's rows are waiting."""

_LAST = "SELECT last_id FROM mail_addresses_progress"
_NEXT = "SELECT count(*), max(id) FROM (SELECT id FROM email_requests WHERE id > ? ORDER BY id LIMIT ?)"
_EXTEND = """
INSERT OR IGNORE INTO mail_addresses
SELECT coalesce(address, email), id FROM email_requests WHERE id > ? AND id <= ? ORDER BY 1, 2
"""
_MOVE = "UPDATE mail_addresses_progress SET last_id = ?"

_log = structlog.get_logger(__name__)


class AddressIndex:
    """A background service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Extend the index until cancelled."""
        seen = -1
        while True:
            began, changes, pause = time.monotonic(), self._database.changes, _INTERVAL
            try:
                if changes != seen and await self.extend() == _ROWS:
                    pause = (time.monotonic() - began) * (1 / _SHARE - 1)
                else:
                    seen = changes
            except sqlite3.OperationalError as error:
                _log.warning("address_index.failed", error=str(error), retry_in=pause)
            await asyncio.sleep(pause)

    async def extend(self) -> int:
        """Add the next mails that are not in the index yet; returns how many.

        Raises:
            sqlite3.OperationalError: the file accepts no writes at present.
        """
        return await self._database.call(lambda: _extend)


def _extend(connection: sqlite3.Connection) -> int:
    ((last,),) = connection.execute(_LAST)
    ((rows, newest),) = connection.execute(_NEXT, (last, _ROWS))
    if rows:
        connection.execute(_EXTEND, (last, newest))
        connection.execute(_MOVE, (newest,))
    return int(rows)
