"""Erases an address from the tables; its mail stays in the statistics under a random name.

What stays intentionally: an entry on the suppression list, which must keep blocking mail, and the uuid of each mail, which
must keep preventing duplicates.
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

import orjson
import structlog

from email_consumer.store import erasure_statements as statements
from email_consumer.store.contents import keep_without_copy
from email_consumer.store.database import Database

_BATCH = 200
_SCAN_BATCH = 100


_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Erased:
    """What was erased."""

    mails: int = 0
    """Mails to the address, or with it in cc or bcc."""
    stopped: int = 0
    """Of these: not sent yet, and now stopped."""
    contents: int = 0
    """Deleted subjects and bodies."""
    contents_kept: int = 0
    """Contents that mention the address but are needed by unsent mail: erase again afterwards."""
    events: int = 0
    """Deleted unmatched events."""
    suppressed: bool = False
    """Whether the address is on the suppression list, where it stays."""
    streams: list[str] = field(default_factory=list)
    """Streams that are looked through afterwards, see `sources.jetstream.stream_erasure`."""


async def erase(database: Database, address: str, streams: Sequence[str] = ()) -> Erased:
    """Erase an address (in normal form); concurrent sending waits a few milliseconds at most.

    `streams`: names of those that keep mail or events, to be looked through in the background.

    Raises:
        sqlite3.OperationalError: the file accepts no writes at present; run it again.
    """
    erasure = _Erasure(database, address)
    erasure.done.streams = list(streams)
    await erasure.rename_in_mails()
    await erasure.drop_subjects()
    await erasure.drop_contents()
    await erasure.delete_unrelated()
    _log.info("erasure.done", **asdict(erasure.done))
    return erasure.done


class _Erasure:
    """Finds affected rows in batches; changes them in short transactions."""

    def __init__(self, database: Database, address: str) -> None:
        self._database = database
        self._parameters: dict[str, Any] = {
            "address": address,
            "name": f"erased-{uuid4().hex[:12]}@erased.invalid",
            "now": time.time(),
        }
        self._contents: set[int] = set()
        """Ids of the contents of mail to the address."""
        self.done = Erased()

    async def rename_in_mails(self) -> None:
        for sql in (statements.ADDRESSED, statements.COPIED):
            while rows := await self._database.fetch(sql, self._parameters | {"most": _BATCH}):
                await self._rename([row["id"] for row in rows])

    async def drop_subjects(self) -> None:
        """Delete the subjects that mention the address."""
        async with self._database.cursors.execute(statements.SUBJECTS, self._parameters) as cursor:
            ids = [row["id"] async for row in cursor]
        for chunk in _slices(ids):
            async with self._database.transaction() as connection:
                await connection.execute(statements.DROP_SUBJECTS, chunk)

    async def drop_contents(self) -> None:
        """Delete contents that mention the address or were sent only to it."""
        naming = [content async for ids in self._scan(statements.NAMING, statements.LAST_CONTENT) for content in ids]
        for content in naming:
            await self._remove_copy(content)
        for chunk in _slices(naming):
            async with self._database.transaction() as connection:
                await connection.execute(statements.UNLINK, chunk)
        for chunk in _slices(sorted(self._contents.union(naming))):
            async with self._database.transaction() as connection:
                self.done.contents += (await connection.execute(statements.DELETE_CONTENTS, chunk)).rowcount
        async for ids in self._scan(statements.NAMING, statements.LAST_CONTENT):
            self.done.contents_kept += len(ids)

    async def _remove_copy(self, content: int) -> None:
        async with self._database.transaction() as connection:
            new = await keep_without_copy(connection, content, self._parameters["address"], self._parameters["now"])
            if new is not None:
                await connection.execute(statements.GO_ON_WITH, {"old": content, "new": new})

    async def delete_unrelated(self) -> None:
        """Delete what belongs to no mail."""
        async for ids in self._scan(statements.UNMATCHED, statements.LAST_UNMATCHED):
            async with self._database.transaction() as connection:
                self.done.events += (await connection.execute(statements.DELETE_UNMATCHED, _ids(ids))).rowcount
        async with self._database.transaction() as connection:
            self.done.suppressed = (await connection.execute(statements.SUPPRESSION, self._parameters)).rowcount > 0
            await connection.execute(statements.FORMER_SUPPRESSION, self._parameters)
            await connection.execute(statements.AUDIT, self._parameters)
            for statement in statements.EVENTS_OUT:
                await connection.execute(statement, self._parameters)
            for stream in self.done.streams:
                await connection.execute(statements.ADD_STREAM_ERASURE, self._parameters | {"stream": stream})
        # Afterwards: these are made from the rows above.
        async for ids in self._scan(statements.DELIVERIES, statements.LAST_DELIVERY):
            async with self._database.transaction() as connection:
                await connection.execute(statements.DELETE_DELIVERIES, _ids(ids))

    async def _rename(self, ids: Sequence[int]) -> None:
        parameters = self._parameters | _ids(ids)
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(statements.CONTENTS_OF, parameters)
            self._contents.update(row["content_id"] for row in rows)
            self.done.stopped += (await connection.execute(statements.STOP, parameters)).rowcount
            for statement in statements.RENAME:
                await connection.execute(statement, parameters)
        self.done.mails += len(ids)

    async def _scan(self, sql: str, last: str) -> AsyncIterator[list[int]]:
        """The ids that a query finds, in batches."""
        ((end,),) = await self._database.fetch(last)
        for after in range(0, end, _SCAN_BATCH):
            rows = await self._database.fetch(sql, self._parameters | {"after": after, "most": _SCAN_BATCH})
            if rows:
                yield [row["id"] for row in rows]


def _slices(ids: Sequence[int]) -> Iterator[dict[str, str]]:
    for start in range(0, len(ids), _BATCH):
        yield _ids(ids[start : start + _BATCH])


def _ids(ids: Sequence[int]) -> dict[str, str]:
    return {"ids": orjson.dumps(ids).decode()}
