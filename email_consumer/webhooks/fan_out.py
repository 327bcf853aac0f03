"""Turns events of the outbox into deliveries: one for each endpoint that wants the event, in the transaction that moves on."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence

import aiosqlite
import orjson
import structlog

from email_consumer.outbox import statements as outbox_statements
from email_consumer.outbox.document import Pending, document, read_pending
from email_consumer.outbox.outbox import Outbox
from email_consumer.store.key_values import WRITE_VALUE, read_value
from email_consumer.webhooks import statements
from email_consumer.webhooks.endpoints import Endpoints
from email_consumer.webhooks.resend_format import resend_event

_CURSOR = "webhooks.seq"
_BATCH = 200
_MOST_DELIVERIES = 2_000
"""Deliveries that are written in a transaction, during which nothing else is."""
_INTERVAL = 0.05
_RETRY = 0.5

_log = structlog.get_logger(__name__)


class FanOut:
    """`prepare` it before anything is recorded, then `run` it."""

    def __init__(
        self, outbox: Outbox, endpoints: Endpoints, due: Callable[[set[str]], None], default_sender: str = ""
    ) -> None:
        """`due` is called with the ids of endpoints that have new deliveries; `default_sender` sends what names no sender."""
        self._outbox = outbox
        self._endpoints = endpoints
        self._due = due
        self._default_sender = default_sender
        self._cursor = outbox.cursor()

    async def prepare(self) -> None:
        """Continue where the last process stopped; without one, with what is recorded from now on."""
        known = await read_value(self._outbox.database, _CURSOR)
        self._cursor.seq = int(known) if known else await self._outbox.last()
        self._cursor.written.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._cursor.written.wait()
            self._cursor.written.clear()
            try:
                while await self._move_on():
                    pass
            except sqlite3.OperationalError as error:
                _log.debug("webhooks.again", error=str(error))
                self._cursor.written.set()
                await asyncio.sleep(_RETRY)
            await asyncio.sleep(_INTERVAL)

    async def _move_on(self) -> bool:
        if not await self._outbox.pending(self._cursor.seq, 1):
            return False
        limit = min(_BATCH, _MOST_DELIVERIES // max(1, len(self._endpoints.all)))
        async with self._outbox.database.transaction() as connection:
            # Read here: an erasure comes before, and is found in the rows; or after, and finds the deliveries.
            found = await connection.execute_fetchall(outbox_statements.PENDING, (self._cursor.seq, limit))
            rows = read_pending(found)
            mails = await self._mails(connection, rows)
            new = [delivery for row in rows for delivery in self._deliveries(row, mails)]
            last = rows[-1].seq if rows else self._cursor.seq
            await connection.executemany(statements.ADD_DELIVERY, new)
            await connection.execute(WRITE_VALUE, (_CURSOR, str(last)))
        self._cursor.seq = last
        self._due({str(each["endpoint"]) for each in new})
        return True

    async def _mails(self, connection: aiosqlite.Connection, rows: Sequence[Pending]) -> Mapping[int, sqlite3.Row]:
        """What Resend's form says of the mails, by their ids; nothing if no endpoint wants it."""
        if all(endpoint.format != "resend" for endpoint in self._endpoints.all):
            return {}
        ids = orjson.dumps([row.request_id for row in rows if row.request_id is not None]).decode()
        return {mail["id"]: mail for mail in await connection.execute_fetchall(statements.MAILS, {"ids": ids})}

    def _deliveries(self, row: Pending, mails: Mapping[int, sqlite3.Row]) -> list[dict[str, object]]:
        event = document(row, self._outbox.origin)
        wanting = [endpoint for endpoint in self._endpoints.all if endpoint.wants(event)]
        bodies = {"standard": orjson.dumps(event).decode()}
        if any(endpoint.format == "resend" for endpoint in wanting):
            mail = mails.get(row.request_id or 0)
            if resend := resend_event(event, mail, row.raw, self._default_sender):
                bodies["resend"] = orjson.dumps(resend).decode()
        new = {"event": event["id"], "type": event["type"], "traceparent": row.traceparent, "now": time.time()}
        return [
            new | {"endpoint": endpoint.id, "body": bodies[endpoint.format]}
            for endpoint in wanting
            if endpoint.format in bodies
        ]
