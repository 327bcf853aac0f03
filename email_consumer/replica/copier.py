"""Copies changed rows to JetStream, a little after their commit and in its order."""

import asyncio
import json
import sqlite3

import msgpack
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.replica.capture import CHANGES, Table, capture
from email_consumer.replica.stream import TOMBSTONE_TTL, ensure_stream, subject
from email_consumer.store.database import Database

_AT_ONCE = 500
_IDLE = 0.25
"""Seconds between two looks for changes."""
_PATIENCE = 10.0
_GONE = {"Nats-TTL": str(TOMBSTONE_TTL)}

_log = structlog.get_logger(__name__)


class Copier:
    """At least once: a change is forgotten only after JetStream has stored the row."""

    def __init__(self, database: Database, client: Client, *, stream: str, replicas: int) -> None:
        """`stream` is the mail's; `replicas` of the stream of rows, if it has to be made."""
        self._database = database
        self._jetstream = client.jetstream(publish_async_max_pending=_AT_ONCE)
        self._stream = stream
        self._replicas = replicas
        self._tables: dict[str, Table] = {}

    async def prepare(self) -> None:
        """To be called before anything else writes.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        await ensure_stream(self._jetstream, self._stream, self._replicas)
        self._tables = {table.name: table for table in await capture(self._database)}

    async def run(self) -> None:
        """Until cancelled."""
        complained = False
        while True:
            try:
                copied = await self.copy()
            except (NatsError, TimeoutError, sqlite3.OperationalError) as error:
                if not complained:
                    _log.warning("replica.behind", error=repr(error), hint="goes on by itself; nothing is forgotten")
                complained, copied = True, 0
            else:
                complained = False
            if copied < _AT_ONCE:
                await asyncio.sleep(_IDLE)

    async def copy(self) -> int:
        """One round: how many changes it took.

        Raises:
            nats.errors.Error: not all were stored; they come again.
        """
        changes = await self._database.fetch(f"SELECT seq, name, key FROM {CHANGES} ORDER BY seq LIMIT ?", (_AT_ONCE,))  # noqa: S608 - a constant
        if not changes:
            return 0
        rows = dict.fromkeys((change["name"], change["key"]) for change in changes)
        async with asyncio.timeout(_PATIENCE):
            stored = [await self._publish(self._tables[name], key) for name, key in rows]
            await asyncio.gather(*stored)
        async with self._database.transaction() as connection:
            await connection.execute(f"DELETE FROM {CHANGES} WHERE seq <= ?", (changes[-1]["seq"],))  # noqa: S608 - a constant
        return len(changes)

    async def _publish(self, table: Table, key: str) -> "asyncio.Future[object]":
        where = " AND ".join(f"{column} = ?" for column in table.key)
        found = await self._database.fetch(f"SELECT * FROM {table.name} WHERE {where}", json.loads(key))  # noqa: S608 - names of our own tables
        payload = msgpack.packb(dict(found[0])) if found else b""
        name = subject(self._stream, table.name, key)
        return await self._jetstream.publish_async(name, payload, headers=None if found else _GONE)  # type: ignore[return-value]
