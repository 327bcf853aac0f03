"""Mail in our own keeping whose time has come: found, made into messages, noted as published."""

import json
import sqlite3
import time
from dataclasses import dataclass

from cachetools import LRUCache
from nats.js.api import Header

from email_consumer.clock import from_unix
from email_consumer.mail_queue import ORIGIN
from email_consumer.message import EmailMessage, UndecodableError, encode, from_value, uuid_tag
from email_consumer.outcome import StopReason
from email_consumer.store.contents import content_fields
from email_consumer.store.database import Database
from email_consumer.store.status import Status

_OF_DUE = "(status = 0 OR in_doubt = 1) AND published_at IS NULL AND content_id IS NOT NULL"
_DUE = f"""
SELECT id, uuid, topic_id, email, content_id, expires_at, source FROM email_requests
WHERE {_OF_DUE} AND coalesce(scheduled_at, created_at) <= :now
ORDER BY coalesce(scheduled_at, created_at), id LIMIT :limit
"""  # noqa: S608 - put together from our own text
_NEXT = f"""
SELECT coalesce(scheduled_at, created_at) FROM email_requests
WHERE {_OF_DUE} ORDER BY coalesce(scheduled_at, created_at), id LIMIT 1
"""  # noqa: S608
_CONTENT = "SELECT subject, content, extra FROM email_contents WHERE id = ?"
_OUTSTANDING = "SELECT id FROM email_requests WHERE status < 2 AND published_at IS NOT NULL"
_PUBLISHED = "UPDATE email_requests SET published_at = ? WHERE id IN (SELECT value FROM json_each(?))"
_FINISH = """
UPDATE email_requests SET status = :status, error = :error, in_doubt = 0, finished_at = :now, updated_at = :now
WHERE id = :id AND (status = 0 OR in_doubt = 1)
"""
# Unsettled and not in the queue any more: whoever lost it, it is published again.
_UNPUBLISH = """
UPDATE email_requests SET published_at = NULL
WHERE published_at < :before AND published_at IS NOT NULL AND status < 2 AND (status = 0 OR in_doubt = 1)
"""
_CACHED_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """One due mail as the queue takes it."""

    id: int
    """Its row's."""
    payload: bytes
    headers: dict[str, str]

    @property
    def size(self) -> int:
        return len(self.payload) + sum(len(name) + len(value) + 4 for name, value in self.headers.items()) + 12


class DueMail:
    def __init__(self, database: Database) -> None:
        self._database = database
        # Thousands of recipients share a content: it is read and checked once.
        self._contents: LRUCache[int, EmailMessage] = LRUCache(_CACHED_BYTES, getsizeof=lambda mail: mail.size)

    async def take(self, limit: int) -> list[Message]:
        """The longest due, at most so many; what has expired or can't be made into a message is finished instead."""
        now = time.time()
        messages, finished = [], []
        for row in await self._database.fetch(_DUE, {"now": now, "limit": limit}):
            if row["expires_at"] is not None and row["expires_at"] <= now:
                finished.append((row["id"], Status.STOPPED, f"{StopReason.EXPIRED}: before it could be published"))
                continue
            try:
                messages.append(_message(row, await self._content(row["content_id"])))
            except (UndecodableError, ValueError, OverflowError) as error:  # one bad row must not stop the others
                finished.append((row["id"], Status.FAILED, f"stored content: {error}"))
        await self.finish(finished)
        return messages

    async def finish(self, mails: list[tuple[int, Status, str]]) -> None:
        """Settle mails (row, status, reason) that will not be published."""
        if mails:
            now = time.time()
            rows = [{"id": mail, "status": status, "error": error, "now": now} for mail, status, error in mails]
            async with self._database.transaction() as connection:
                await connection.executemany(_FINISH, rows)

    async def next_due(self) -> float | None:
        """When the next one is due (Unix seconds), perhaps in the past; None without any."""
        rows = await self._database.fetch(_NEXT)
        return float(rows[0][0]) if rows else None

    async def note_published(self, ids: list[int]) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(_PUBLISHED, (time.time(), json.dumps(ids)))

    async def outstanding(self) -> set[int]:
        """Rows that were published and nothing became of yet."""
        return {row[0] for row in await self._database.fetch(_OUTSTANDING)}

    async def publish_again(self, before: float) -> int:
        """Take what was published before then (Unix seconds) and is still open as never published; how many."""
        async with self._database.transaction() as connection:
            return (await connection.execute(_UNPUBLISH, {"before": before})).rowcount

    async def _content(self, content_id: int) -> EmailMessage:
        if content_id not in self._contents:
            rows = await self._database.fetch(_CONTENT, (content_id,))
            if not rows:
                raise UndecodableError("it is not there any more")
            row = rows[0]
            fields = content_fields(row["subject"], row["content"], row["extra"])
            content = from_value(fields | {"uuid": "-", "email": "to@localhost"})
            if content.size > _CACHED_BYTES:
                return content
            self._contents[content_id] = content
        return self._contents[content_id]


def _message(row: sqlite3.Row, content: EmailMessage) -> Message:
    own = {name: row[name] for name in ("uuid", "email", "topic_id") if row[name] is not None}
    if row["expires_at"] is not None:
        own["expires_at"] = from_unix(row["expires_at"])
    source = row["source"]
    # The same name again within the stream's duplicate window is stored once: a crash before `note_published`.
    headers = {Header.MSG_ID.value: f"{source}:{uuid_tag(row['uuid'])}", ORIGIN: source}
    return Message(row["id"], encode(content.model_copy(update=own)), headers)
