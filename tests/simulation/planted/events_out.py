"""Faults in how events out are recorded and published."""

import asyncio
import sqlite3
from contextlib import suppress
from typing import Any

from email_consumer.outbox.publisher import EventPublisher
from email_consumer.outbox.statements import TRIGGERS
from email_consumer.roles import events_out
from email_consumer.store.database import Database
from tests.simulation.planted.patch import Patch

_LATER = "outbox_later"


def row_after_the_transaction() -> list[Patch]:
    """The row of an event is written after the transaction of its outcome, in a separate one."""

    async def move(database: Database) -> None:
        while True:
            await asyncio.sleep(0.05)
            with suppress(sqlite3.OperationalError):
                await move_some(database)

    async def move_some(database: Database) -> None:
        async with database.transaction() as connection:
            if list(await connection.execute_fetchall(f"SELECT 1 FROM {_LATER} LIMIT 1")):  # noqa: S608
                await connection.execute(f"INSERT INTO outbox SELECT NULL, * FROM {_LATER}")  # noqa: S608
                await connection.execute(f"DELETE FROM {_LATER}")  # noqa: S608

    async def planted(database: Database) -> None:
        async with database.transaction() as connection:
            columns = "type, at, uuid, request_id, result_id, attempt, message_id, reason, address, scope"
            await connection.execute(f"CREATE TEMP TABLE {_LATER} AS SELECT {columns} FROM outbox WHERE false")  # noqa: S608
            for name, definition in TRIGGERS.items():
                later = definition.replace("INSERT INTO outbox ", f"INSERT INTO {_LATER} ")
                await connection.execute(f"CREATE TEMP TRIGGER outbox_{name} {later}")
        moving.append(asyncio.create_task(move(database)))

    moving: list[asyncio.Task[None]] = []
    return [(events_out, "record", planted)]


def published_without_an_acknowledgement() -> list[Patch]:
    """An event is taken for stored once it is written to the connection."""

    async def planted(self: Any, rows: Any) -> None:
        for row in rows:
            await self._publisher.send_unanswered(*self._message(row, self._sequence))
            self._cursor.seq, self._sequence = row.seq, self._sequence + 1

    return [(EventPublisher, "_publish_chain", planted)]
