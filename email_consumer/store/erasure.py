"""Erases one address from the tables: its mail keeps its place in the statistics under a made-up name.

What stays on purpose: the address itself on the suppression list, if it is there, since it has to go on stopping mail;
and the uuid of each mail, since it has to go on stopping duplicates.
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from uuid import uuid4

import orjson
import structlog

from email_consumer.store.database import Database

_LOOKED_AT = 20_000
_CHANGED = 200
_CONTENTS = 100

# By whatever name it was written; those that were sent to it as a copy are found by their results.
_ADDRESSED = """
SELECT id FROM email_requests WHERE id > :after AND id <= :after + :most
  AND (lower(email) = :address OR instr(lower(email), '<' || :address || '>'))
"""
_COPIED = "SELECT DISTINCT request_id AS id FROM email_results WHERE recipient = :address"
_LAST = "SELECT coalesce(max(id), 0) FROM email_requests"
_NAMING = """
SELECT id FROM email_contents
WHERE id > :after AND id <= :after + :most AND instr(lower(subject || content || coalesce(extra, '')), :address)
"""
_LAST_CONTENT = "SELECT coalesce(max(id), 0) FROM email_contents"
_UNMATCHED = "SELECT id FROM unmatched_events WHERE instr(lower(raw), :address)"

# Not published yet, or waiting for another attempt: it must not go out any more.
_STOP = """
UPDATE email_requests SET status = 4, error = 'erased', finished_at = :now, updated_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND status = 0
  AND (lower(email) = :address OR instr(lower(email), '<' || :address || '>'))
"""
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
    WHERE instr(lower(reason), :address) AND request_id IN (SELECT value FROM json_each(:ids))
    """,
    """
    UPDATE email_requests SET error = 'erased'
    WHERE instr(lower(error), :address) AND id IN (SELECT value FROM json_each(:ids))
    """,
    """
    UPDATE email_requests SET email = :name, content_id = iif(status < 2, content_id, NULL)
    WHERE id IN (SELECT value FROM json_each(:ids))
      AND (lower(email) = :address OR instr(lower(email), '<' || :address || '>'))
    """,
)
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
    """Erase a bare address, in lower case; whoever sends meanwhile waits some milliseconds at the most.

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
        self._facts = {"address": address, "name": f"erased-{uuid4().hex[:12]}@erased.invalid", "now": time.time()}
        self._contents: set[int] = set()
        """Of mail to the address."""
        self.done = Erased()

    async def rename_in_mails(self) -> None:
        async for ids in self._chunks(_ADDRESSED, _LAST, _LOOKED_AT):
            await self._rename(ids)
        await self._rename([row["id"] for row in await self._database.fetch(_COPIED, self._facts)])

    async def drop_contents(self) -> None:
        """Those that name the address, and those that nobody else got."""
        naming = [content async for ids in self._chunks(_NAMING, _LAST_CONTENT, _CONTENTS) for content in ids]
        for chunk in _slices(naming):
            async with self._database.transaction() as connection:
                await connection.execute(_UNLINK, chunk)
        for chunk in _slices(sorted(self._contents.union(naming))):
            async with self._database.transaction() as connection:
                self.done.contents += (await connection.execute(_DELETE_CONTENTS, chunk)).rowcount
        async for ids in self._chunks(_NAMING, _LAST_CONTENT, _CONTENTS):
            self.done.contents_kept += len(ids)

    async def clear_aside(self) -> None:
        """What hangs on no mail."""
        events = [row["id"] for row in await self._database.fetch(_UNMATCHED, self._facts)]
        async with self._database.transaction() as connection:
            for chunk in _slices(events):
                self.done.events += (await connection.execute(_DELETE_UNMATCHED, chunk)).rowcount
            self.done.suppressed = (await connection.execute(_SUPPRESSION, self._facts)).rowcount > 0
            await connection.execute(_FORMER_SUPPRESSION, self._facts)

    async def _rename(self, ids: Sequence[int]) -> None:
        for chunk in _slices(ids):
            concerned = self._facts | chunk
            async with self._database.transaction() as connection:
                rows = await connection.execute_fetchall(_CONTENTS_OF, concerned)
                self._contents.update(row["content_id"] for row in rows)
                self.done.stopped += (await connection.execute(_STOP, concerned)).rowcount
                for statement in _RENAME:
                    await connection.execute(statement, concerned)
        self.done.mails += len(ids)

    async def _chunks(self, sql: str, last: str, most: int) -> AsyncIterator[list[int]]:
        """The ids that a query finds, looking at `most` rows at a time."""
        ((end,),) = await self._database.fetch(last)
        for after in range(0, end, most):
            rows = await self._database.fetch(sql, self._facts | {"after": after, "most": most})
            if rows:
                yield [row["id"] for row in rows]


def _slices(ids: Sequence[int]) -> Iterator[dict[str, str]]:
    for start in range(0, len(ids), _CHANGED):
        yield {"ids": orjson.dumps(ids[start : start + _CHANGED]).decode()}
