"""Copies changed rows to JetStream, a little after their commit and in its order."""

import asyncio
import json
import sqlite3
from uuid import uuid4

import msgpack
import structlog
from nats.js.api import Header

from email_consumer.publisher import Publisher, TooLargeError
from email_consumer.replica.capture import CHANGES, Table, capture, copied_before
from email_consumer.replica.stream import TOMBSTONE_TTL, ensure_stream, stream_name, subject
from email_consumer.store.database import Database

_AT_ONCE = 500
_IDLE = 0.25
"""Seconds between two looks for changes."""
_LAST_ROUNDS = 5.0
_GONE = {Header.MSG_TTL.value: str(TOMBSTONE_TTL)}

_log = structlog.get_logger(__name__)


class OtherCopyError(Exception):
    """JetStream holds the rows of a file that is not this one; in plain words."""


class Copier:
    """At least once: a change is forgotten only after JetStream has stored the row."""

    def __init__(self, database: Database, publisher: Publisher, *, stream: str, replicas: int) -> None:
        """`publisher` must be running. `stream` is the mail's; `replicas` of the stream of rows, if it has to be made."""
        self._database = database
        self._publisher = publisher
        self._stream = stream
        self._replicas = replicas
        self._tables: dict[str, Table] = {}

    async def prepare(self) -> None:
        """To be called before anything else writes.

        Raises:
            OtherCopyError: what JetStream holds is another file's.
            nats.errors.Error: JetStream did not answer.
        """
        rows = await ensure_stream(self._publisher.client.jetstream(), self._stream, self._replicas)
        if rows and not await copied_before(self._database):
            raise OtherCopyError(
                f"DB_PATH: {self._database.path} is new, but JetStream holds a copy of an earlier file's rows: move the new"
                f" one away and run `email-consumer rebuild`, or delete the stream {stream_name(self._stream)} to begin anew"
            )
        self._tables = {table.name: table for table in await capture(self._database)}

    async def run(self) -> None:
        """Until cancelled."""
        complained = False
        while True:
            try:
                copied = await self.copy()
            except sqlite3.OperationalError as error:
                if not complained:
                    _log.warning("replica.behind", error=repr(error), hint="goes on by itself; nothing is forgotten")
                complained, copied = True, 0
            else:
                complained = False
            if copied < _AT_ONCE:
                await asyncio.sleep(_IDLE)

    async def finish(self) -> None:
        """Copy what is left, if JetStream takes it in good time; the rest is copied after the next start."""
        try:
            async with asyncio.timeout(_LAST_ROUNDS):
                while await self.copy():
                    pass
        except (TimeoutError, sqlite3.OperationalError) as error:
            _log.warning("replica.behind", error=repr(error), hint="goes on at the next start; nothing is forgotten")

    async def copy(self) -> int:
        """One round: how many changes it took. While NATS is away, it waits.

        Raises:
            sqlite3.OperationalError: they come again.
        """
        changes = await self._database.fetch(f"SELECT seq, name, key FROM {CHANGES} ORDER BY seq LIMIT ?", (_AT_ONCE,))  # noqa: S608 - a constant
        if not changes:
            return 0
        rows = dict.fromkeys((change["name"], change["key"]) for change in changes)
        await asyncio.gather(*(self._publish(self._tables[name], key) for name, key in rows))
        async with self._database.transaction() as connection:
            await connection.execute(f"DELETE FROM {CHANGES} WHERE seq <= ?", (changes[-1]["seq"],))  # noqa: S608 - a constant
        return len(changes)

    async def _publish(self, table: Table, key: str) -> None:
        where = " AND ".join(f"{column} = ?" for column in table.key)
        found = await self._database.fetch(f"SELECT * FROM {table.name} WHERE {where}", json.loads(key))  # noqa: S608 - names of our own tables
        payload = msgpack.packb(dict(found[0])) if found else b""
        name = subject(self._stream, table.name, key)
        try:
            await self._publisher.until_stored(name, payload, uuid4().hex, {} if found else _GONE)
        except TooLargeError as error:
            # It must not hold up all others: attachments take a third more here than in a message.
            _log.error(
                "replica.row_too_large",
                table=table.name,
                bytes=len(payload),
                error=str(error),
                hint="not copied, so a rebuilt file lacks it; raise that limit",
            )
