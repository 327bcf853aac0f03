"""Erases one address from the tables: its mail keeps its place in the statistics under a made-up name.

What stays on purpose: the address itself on the suppression list, if it is there, since it has to go on stopping mail;
and the uuid of each mail, since it has to go on stopping duplicates.
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

import orjson
import structlog

from email_consumer.store import erasure_statements as statements
from email_consumer.store.contents import keep_without_copy
from email_consumer.store.database import Database

_AT_ONCE = 200
_LOOKED_AT = 100


_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Erased:
    """How much there was."""

    mails: int = 0
    """To the address, or with it among their recipients."""
    stopped: int = 0
    """Of these: not sent yet, and now never."""
    contents: int = 0
    """Subjects and bodies that are gone."""
    contents_kept: int = 0
    """Contents that name the address, and that something is still to be sent by: erase again after that."""
    events: int = 0
    """Events that no mail was known for."""
    suppressed: bool = False
    """The address is on the suppression list, and stays there."""


async def erase(database: Database, address: str) -> Erased:
    """Erase an address (in normal form); senders wait some milliseconds at most.

    Raises:
        sqlite3.OperationalError: the file takes no writes at present; run it again.
    """
    erasure = _Erasure(database, address)
    await erasure.rename_in_mails()
    await erasure.drop_contents()
    await erasure.clear_aside()
    _log.info("erasure.done", **asdict(erasure.done))
    return erasure.done


class _Erasure:
    """Reads find what is concerned, in chunks; short transactions change it."""

    def __init__(self, database: Database, address: str) -> None:
        self._database = database
        self._values: dict[str, Any] = {
            "address": address,
            "name": f"erased-{uuid4().hex[:12]}@erased.invalid",
            "now": time.time(),
        }
        self._contents: set[int] = set()
        """Of mail to the address."""
        self.done = Erased()

    async def rename_in_mails(self) -> None:
        for sql in (statements.ADDRESSED, statements.COPIED):
            while rows := await self._database.fetch(sql, self._values | {"most": _AT_ONCE}):
                await self._rename([row["id"] for row in rows])

    async def drop_contents(self) -> None:
        """Those that name the address, and those that nobody else got."""
        naming = [
            content async for ids in self._look_through(statements.NAMING, statements.LAST_CONTENT) for content in ids
        ]
        for content in naming:
            await self._leave_out(content)
        for chunk in _slices(naming):
            async with self._database.transaction() as connection:
                await connection.execute(statements.UNLINK, chunk)
        for chunk in _slices(sorted(self._contents.union(naming))):
            async with self._database.transaction() as connection:
                self.done.contents += (await connection.execute(statements.DELETE_CONTENTS, chunk)).rowcount
        async for ids in self._look_through(statements.NAMING, statements.LAST_CONTENT):
            self.done.contents_kept += len(ids)

    async def _leave_out(self, content: int) -> None:
        async with self._database.transaction() as connection:
            new = await keep_without_copy(connection, content, self._values["address"], self._values["now"])
            if new is not None:
                await connection.execute(statements.GO_ON_WITH, {"old": content, "new": new})

    async def clear_aside(self) -> None:
        """What hangs on no mail."""
        async for ids in self._look_through(statements.UNMATCHED, statements.LAST_UNMATCHED):
            async with self._database.transaction() as connection:
                self.done.events += (await connection.execute(statements.DELETE_UNMATCHED, _given(ids))).rowcount
        async with self._database.transaction() as connection:
            self.done.suppressed = (await connection.execute(statements.SUPPRESSION, self._values)).rowcount > 0
            await connection.execute(statements.FORMER_SUPPRESSION, self._values)

    async def _rename(self, ids: Sequence[int]) -> None:
        concerned = self._values | _given(ids)
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(statements.CONTENTS_OF, concerned)
            self._contents.update(row["content_id"] for row in rows)
            self.done.stopped += (await connection.execute(statements.STOP, concerned)).rowcount
            for statement in statements.RENAME:
                await connection.execute(statement, concerned)
        self.done.mails += len(ids)

    async def _look_through(self, sql: str, last: str) -> AsyncIterator[list[int]]:
        """The ids that a query finds."""
        ((end,),) = await self._database.fetch(last)
        for after in range(0, end, _LOOKED_AT):
            rows = await self._database.fetch(sql, self._values | {"after": after, "most": _LOOKED_AT})
            if rows:
                yield [row["id"] for row in rows]


def _slices(ids: Sequence[int]) -> Iterator[dict[str, str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield _given(ids[start : start + _AT_ONCE])


def _given(ids: Sequence[int]) -> dict[str, str]:
    return {"ids": orjson.dumps(ids).decode()}
