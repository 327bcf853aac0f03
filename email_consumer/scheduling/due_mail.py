"""Mail in our own keeping whose time has come: found, made into messages, noted as published."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cachetools import LRUCache
from nats.js.api import Header

from email_consumer.core.dead_letters import DeadLetterKind
from email_consumer.core.mail_queue import ORIGIN, Backlog
from email_consumer.core.outcome import StopReason
from email_consumer.jetstream.publisher import header_bytes
from email_consumer.message.address import parse_address
from email_consumer.message.model import EmailMessage, UndecodableError, encode, from_value, uuid_tag
from email_consumer.message.times import from_unix
from email_consumer.store.contents import content_fields
from email_consumer.store.database import Database
from email_consumer.store.retired import published_uuid
from email_consumer.store.status import Status

_OF_DUE = "(status = 0 OR in_doubt = 1) AND published_at IS NULL AND content_id IS NOT NULL"
_DUE = f"""
SELECT id, uuid, topic_id, email, content_id, expires_at, source, created_at FROM email_requests
WHERE {_OF_DUE} AND coalesce(scheduled_at, created_at) <= :now AND content_id NOT IN (SELECT value FROM json_each(:but))
ORDER BY coalesce(scheduled_at, created_at), id LIMIT :limit
"""  # noqa: S608 - put together from our own text
_NEXT = f"""
SELECT coalesce(scheduled_at, created_at) FROM email_requests
WHERE {_OF_DUE} AND content_id NOT IN (SELECT value FROM json_each(:but))
ORDER BY coalesce(scheduled_at, created_at), id LIMIT 1
"""  # noqa: S608
_CONTENT = "SELECT subject, content, extra FROM email_contents WHERE id = ?"
# It stays in our keeping; who asks what became of the mail is told why.
_REFUSED = """
UPDATE email_requests SET error = :reason, updated_at = :now
WHERE content_id = :content AND status = 0 AND published_at IS NULL AND error IS NOT :reason
"""
_OUTSTANDING = "SELECT id FROM email_requests WHERE status < 2 AND published_at IS NOT NULL"
_PUBLISHED = """
UPDATE email_requests SET published_at = :now, published_sequence = value->>1, error = NULL
FROM json_each(:published) WHERE email_requests.id = value->>0
"""
_FINISH = """
UPDATE email_requests SET status = :status, error = :error, in_doubt = 0, finished_at = :now, updated_at = :now
WHERE id = :id AND (status = 0 OR in_doubt = 1)
"""
# Open, and the queue's consumer is past it, or it lay in a stream that is gone: whoever lost it, it is published again.
# 0 is the sequence of mail that was published by an earlier version, or to a queue without an order.
_UNPUBLISH = """
UPDATE email_requests SET published_at = NULL
WHERE published_at < :before AND published_at IS NOT NULL AND status < 2 AND (status = 0 OR in_doubt = 1)
    AND (:nothing_left OR published_sequence > :last OR published_sequence BETWEEN 1 AND :settled)
"""
_CACHED_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """One due mail as the queue takes it."""

    id: int
    """Its row's."""
    content: int
    """Its content's row."""
    payload: bytes
    headers: dict[str, str]

    @property
    def size(self) -> int:
        return len(self.payload) + header_bytes(self.headers)


@dataclass(frozen=True, slots=True)
class Unpublishable:
    """A row that has to become a dead letter; see `email_consumer.core.delivery.Original`."""

    id: int
    content: int
    payload: bytes
    """The message, or what the row and its content hold, as JSON."""
    reference: str
    kind: DeadLetterKind
    reason: str
    stored_at: float
    source: str
    stream: str = ""
    sequence: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Due:
    messages: list[Message]
    unpublishable: list[Unpublishable]
    expired: int = 0
    """How many were stopped instead."""


class DueMail:
    def __init__(self, database: Database) -> None:
        self._database = database
        # Thousands of recipients share a content: it is read and checked once.
        self._contents: LRUCache[int, EmailMessage] = LRUCache(_CACHED_BYTES, getsizeof=lambda mail: mail.size)

    async def take(self, limit: int, but: Sequence[int] = ()) -> Due:
        """The longest due, at most so many, without mail of the contents `but`; what has expired is stopped."""
        now = time.time()
        due, expired = Due([], []), []
        for row in await self._database.fetch(_DUE, {"now": now, "limit": limit, "but": json.dumps(but)}):
            if row["expires_at"] is not None and row["expires_at"] <= now:
                expired.append((row["id"], Status.STOPPED, f"{StopReason.EXPIRED}: before it could be published"))
                continue
            try:
                message = _message(row, await self._content(row["content_id"]))
            except (UndecodableError, ValueError, OverflowError) as error:  # one bad row must not stop the others
                due.unpublishable.append(await self._broken(row, f"what is stored of it: {error}"))
                continue
            if row["uuid"] == published_uuid(row["uuid"]):
                due.messages.append(message)
            else:
                due.unpublishable.append(_displaced(row, message))
        await self.finish(expired)
        return replace(due, expired=len(expired))

    async def finish(self, mails: list[tuple[int, Status, str]]) -> None:
        """Settle mails (row, status, reason) that will not be published."""
        if mails:
            now = time.time()
            rows = [{"id": mail, "status": status, "error": error, "now": now} for mail, status, error in mails]
            async with self._database.transaction() as connection:
                await connection.executemany(_FINISH, rows)

    async def next_due(self, but: Sequence[int] = ()) -> float | None:
        """When the next one is due (Unix seconds), perhaps in the past; None without any beside those of `but`."""
        rows = await self._database.fetch(_NEXT, {"but": json.dumps(but)})
        return float(rows[0][0]) if rows else None

    async def note_published(self, mails: Sequence[tuple[int, int]]) -> None:
        """Mails (row, sequence in the queue) that the queue has stored."""
        async with self._database.transaction() as connection:
            await connection.execute(_PUBLISHED, {"now": time.time(), "published": json.dumps(mails)})

    async def note_refused(self, content: int, reason: str) -> None:
        """Mail of this content can't be published at present."""
        async with self._database.transaction() as connection:
            await connection.execute(_REFUSED, {"content": content, "reason": reason, "now": time.time()})

    async def outstanding(self) -> set[int]:
        """Rows that were published and nothing became of yet."""
        return {row[0] for row in await self._database.fetch(_OUTSTANDING)}

    async def publish_again(self, before: float, backlog: Backlog) -> int:
        """Take what was published before then (Unix seconds), is still open and yet not in the queue as never published.

        `backlog` is of that moment or later. How many there were.
        """
        state = {"nothing_left": not backlog.unsettled, "settled": backlog.ack_floor, "last": backlog.last}
        async with self._database.transaction() as connection:
            return (await connection.execute(_UNPUBLISH, {"before": before} | state)).rowcount

    async def _content(self, content_id: int) -> EmailMessage:
        if content_id not in self._contents:
            fields = await self._fields(content_id)
            if fields is None:
                raise UndecodableError("it is not there any more")
            content = from_value(fields | {"uuid": "-", "email": "to@localhost"})
            if content.size > _CACHED_BYTES:
                return content
            self._contents[content_id] = content
        return self._contents[content_id]

    async def _fields(self, content_id: int) -> dict[str, object] | None:
        rows = await self._database.fetch(_CONTENT, (content_id,))
        return content_fields(rows[0]["subject"], rows[0]["content"], rows[0]["extra"]) if rows else None

    async def _broken(self, row: sqlite3.Row, reason: str) -> Unpublishable:
        own = {name: row[name] for name in ("email", "topic_id", "expires_at") if row[name] is not None}
        own["uuid"] = published_uuid(row["uuid"])
        payload = json.dumps((await self._fields(row["content_id"]) or {}) | own).encode()
        return _unpublishable(row, payload, DeadLetterKind.UNDECODABLE, reason)


def _displaced(row: sqlite3.Row, message: Message) -> Unpublishable:
    """With roles apart, a worker sent another mail of this uuid, to others, before this one was published."""
    reason = "its uuid was taken by a mail to other recipients"
    return _unpublishable(row, message.payload, DeadLetterKind.CONFLICT, reason, message.headers)


def _unpublishable(
    row: sqlite3.Row,
    payload: bytes,
    kind: DeadLetterKind,
    reason: str,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Unpublishable:
    return Unpublishable(
        row["id"],
        row["content_id"],
        payload,
        f"keeping:{row['id']}",
        kind,
        reason,
        row["created_at"],
        row["source"],
        headers=headers,
    )


def _message(row: sqlite3.Row, content: EmailMessage) -> Message:
    parse_address(row["email"])  # or each worker would refuse it, each time that it is published
    own = {name: row[name] for name in ("email", "topic_id") if row[name] is not None}
    own["uuid"] = published_uuid(row["uuid"])
    if row["expires_at"] is not None:
        own["expires_at"] = from_unix(row["expires_at"])
    source = row["source"]
    # The same name again within the stream's duplicate window is stored once: a crash before `note_published`.
    headers = {Header.MSG_ID.value: f"{source}:{uuid_tag(own['uuid'])}", ORIGIN: source}
    return Message(row["id"], row["content_id"], encode(content.model_copy(update=own)), headers)
