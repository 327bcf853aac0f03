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

from email_consumer.store.contents import keep_without_copy
from email_consumer.store.database import Database

_AT_ONCE = 200
_LOOKED_AT = 100

# Each finds less and less, as what it finds is renamed. What was sent to it as a copy is found by its results.
_TO_IT = "(email = :address OR address = :address)"
_ADDRESSED = f"SELECT id FROM email_requests WHERE {_TO_IT} LIMIT :most"  # noqa: S608 - a constant
_COPIED = "SELECT DISTINCT request_id AS id FROM email_results WHERE recipient = :address LIMIT :most"
# Texts are read from end to end, a few at a time.
_NAMING = """
SELECT id FROM email_contents
WHERE id > :after AND id <= :after + :most
  AND (mentions(subject, :address) OR mentions(content, :address) OR json_mentions(extra, :address))
"""
_LAST_CONTENT = "SELECT coalesce(max(id), 0) FROM email_contents"
_UNMATCHED = """
SELECT id FROM unmatched_events WHERE id > :after AND id <= :after + :most AND json_mentions(raw, :address)
"""
_LAST_UNMATCHED = "SELECT coalesce(max(id), 0) FROM unmatched_events"

# Not published yet, or waiting for another attempt: it must not go out any more.
_STOP = f"""
UPDATE email_requests SET status = 4, error = 'erased', finished_at = :now, updated_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND status = 0 AND {_TO_IT}
"""  # noqa: S608 - a constant
_CONTENTS_OF = """
SELECT content_id FROM email_requests WHERE content_id IS NOT NULL AND id IN (SELECT value FROM json_each(:ids))
"""
_COUNTED = """
SELECT topic_id, iif(machine, 'Machine', '') || result.status AS kind, recipient
FROM email_results AS result JOIN email_requests AS request ON request.id = request_id
WHERE recipient = :address AND request_id IN (SELECT value FROM json_each(:ids)) AND topic_id IS NOT NULL
"""
_RENAME = (
    # Whose result it was, in the sums of topics; before the results themselves are changed. Not by an update: a copy of
    # the rows knows them by their keys, and must hear that the old one is gone.
    f"INSERT OR IGNORE INTO topic_recipients SELECT topic_id, kind, :name FROM ({_COUNTED})",  # noqa: S608 - a constant
    f"DELETE FROM topic_recipients WHERE (topic_id, kind, recipient) IN ({_COUNTED})",  # noqa: S608 - a constant
    """
    UPDATE email_results SET recipient = :name
    WHERE recipient = :address AND request_id IN (SELECT value FROM json_each(:ids))
    """,
    # What SES sent names all recipients, headers and subject.
    "UPDATE email_results SET raw = '{}' WHERE request_id IN (SELECT value FROM json_each(:ids))",
    """
    UPDATE email_attempts SET reason = 'erased'
    WHERE mentions(reason, :address) AND request_id IN (SELECT value FROM json_each(:ids))
    """,
    """
    UPDATE email_requests SET error = 'erased'
    WHERE mentions(error, :address) AND id IN (SELECT value FROM json_each(:ids))
    """,
    f"""
    UPDATE email_requests SET email = :name, address = NULL, content_id = NULL, recipients_hash = NULL, content_hash = NULL
    WHERE id IN (SELECT value FROM json_each(:ids)) AND {_TO_IT}
    """,  # noqa: S608 - a constant
)
# What waits for others goes on without the copy to it: to other recipients than its uuid stood for so far.
_GO_ON_WITH = """
UPDATE email_requests SET content_id = :new, recipients_hash = NULL
WHERE content_id = :old AND status = 0 AND published_at IS NULL
"""
# A content that names the address (in its text, or as a copy's recipient) goes, unless something is still to be sent by it.
_UNLINK = """
UPDATE email_requests SET content_id = NULL WHERE content_id IN (SELECT value FROM json_each(:ids)) AND NOT EXISTS (
    SELECT 1 FROM email_requests AS other WHERE other.content_id = email_requests.content_id AND other.status < 2
)
"""
_DELETE_CONTENTS = """
DELETE FROM email_contents
WHERE id IN (SELECT value FROM json_each(:ids))
  AND NOT EXISTS (SELECT 1 FROM email_requests WHERE content_id = email_contents.id)
"""
_DELETE_UNMATCHED = "DELETE FROM unmatched_events WHERE id IN (SELECT value FROM json_each(:ids))"
_SUPPRESSION = "UPDATE suppressions SET detail = '' WHERE address = :address AND removed_at IS NULL"
_FORMER_SUPPRESSION = "DELETE FROM suppressions WHERE address = :address AND removed_at IS NOT NULL AND mirror IS NULL"

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
        for sql in (_ADDRESSED, _COPIED):
            while rows := await self._database.fetch(sql, self._values | {"most": _AT_ONCE}):
                await self._rename([row["id"] for row in rows])

    async def drop_contents(self) -> None:
        """Those that name the address, and those that nobody else got."""
        naming = [content async for ids in self._look_through(_NAMING, _LAST_CONTENT) for content in ids]
        for content in naming:
            await self._leave_out(content)
        for chunk in _slices(naming):
            async with self._database.transaction() as connection:
                await connection.execute(_UNLINK, chunk)
        for chunk in _slices(sorted(self._contents.union(naming))):
            async with self._database.transaction() as connection:
                self.done.contents += (await connection.execute(_DELETE_CONTENTS, chunk)).rowcount
        async for ids in self._look_through(_NAMING, _LAST_CONTENT):
            self.done.contents_kept += len(ids)

    async def _leave_out(self, content: int) -> None:
        async with self._database.transaction() as connection:
            new = await keep_without_copy(connection, content, self._values["address"], self._values["now"])
            if new is not None:
                await connection.execute(_GO_ON_WITH, {"old": content, "new": new})

    async def clear_aside(self) -> None:
        """What hangs on no mail."""
        async for ids in self._look_through(_UNMATCHED, _LAST_UNMATCHED):
            async with self._database.transaction() as connection:
                self.done.events += (await connection.execute(_DELETE_UNMATCHED, _given(ids))).rowcount
        async with self._database.transaction() as connection:
            self.done.suppressed = (await connection.execute(_SUPPRESSION, self._values)).rowcount > 0
            await connection.execute(_FORMER_SUPPRESSION, self._values)

    async def _rename(self, ids: Sequence[int]) -> None:
        concerned = self._values | _given(ids)
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(_CONTENTS_OF, concerned)
            self._contents.update(row["content_id"] for row in rows)
            self.done.stopped += (await connection.execute(_STOP, concerned)).rowcount
            for statement in _RENAME:
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
