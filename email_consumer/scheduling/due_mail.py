"""Due mail in the database: selected, turned into messages, marked as published."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import orjson
from cachetools import LRUCache
from nats.js.api import Header

from email_consumer.core.dead_letters import DeadLetterKind
from email_consumer.core.mail_queue import LANE, ORIGIN, Backlog
from email_consumer.core.outcome import StopReason
from email_consumer.core.ramps import RAMPED, today
from email_consumer.core.tenant_limits import LIMITED
from email_consumer.core.traceparent import MOST_TRACED, TRACEPARENT
from email_consumer.holds.active_holds import ActiveHolds
from email_consumer.jetstream.publisher import header_bytes
from email_consumer.message.address import parse_address
from email_consumer.message.content import Content
from email_consumer.message.lane import Lane
from email_consumer.message.model import UndecodableError, content_from, encode_mail, uuid_tag
from email_consumer.message.times import from_unix
from email_consumer.scheduling import statements
from email_consumer.scheduling.deferred import Excluded, StoredContent
from email_consumer.scheduling.publish_window import MAX_BYTES
from email_consumer.store.contents import content_fields
from email_consumer.store.database import Database
from email_consumer.store.retired import published_uuid
from email_consumer.store.status import Status

_CACHED_BYTES = 4_000_000
_OBJECT_BYTES = 2_000
"""What a content takes in memory besides its texts."""
_MOST_TENANTS = 25
"""Tenants that have their turn in one round; the others have it in the next ones."""
_BEFORE_ALL = -1
"""In SQLite a number is less than any text."""


@dataclass(frozen=True, slots=True)
class Message:
    """One due mail as it is published."""

    id: int
    """Row id."""
    content: StoredContent
    payload: bytes
    headers: dict[str, str]

    @property
    def size(self) -> int:
        return len(self.payload) + header_bytes(self.headers)


@dataclass(frozen=True, slots=True)
class Unpublishable:
    """A row that must become a dead letter; see `email_consumer.core.delivery.Original`."""

    id: int
    content: StoredContent
    payload: bytes
    """The message, or the fields of the row and its content as JSON."""
    reference: str
    kind: DeadLetterKind
    reason: str
    stored_at: float
    source: str
    stream: str = ""
    sequence: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


_NOTHING = Excluded()


@dataclass(frozen=True, slots=True)
class Due:
    messages: list[Message]
    unpublishable: list[Unpublishable]
    expired: int = 0
    """Number of mails that were stopped because they expired."""


class DueMail:
    def __init__(self, database: Database, holds: ActiveHolds | None = None) -> None:
        """`holds`: mail that they cover is not published."""
        self._database = database
        self._holds = ActiveHolds() if holds is None else holds  # false while nothing is held
        self._last_turn: dict[Lane, str] = {}
        """The tenant that was the last to have its turn."""
        # Thousands of recipients may share a content: it is read and validated once.
        self._contents: LRUCache[bytes, Content] = LRUCache(_CACHED_BYTES, getsizeof=_bytes_in_memory)
        """By the hash of the stored content. The row id of one that was deleted may be given to another one."""

    async def take(self, lane: Lane, limit: int, excluded: Excluded = _NOTHING) -> Due:
        """Up to `limit` mails of a lane, except those that are `excluded`; expired mail is stopped.

        Of large mail only as much as a window has room for. Tenants take turns: each that has its turn gets the same share, its mail
        that is longest due first. What is held by now is left to wait for its hold.
        """
        now = time.time()
        due, expired, size = Due([], []), [], 0
        rows = await self._take_turns(lane, limit, await self._choice(lane, excluded), now)
        for row in await self._without_held(rows, now):
            if row["expires_at"] is not None and row["expires_at"] <= now:
                expired.append((row["id"], Status.STOPPED, f"{StopReason.EXPIRED}: before it could be published"))
                continue
            try:
                message = _message(row, await self._content(row["content_hash"]))
            except (UndecodableError, ValueError, OverflowError) as error:  # one bad row must not block the others
                due.unpublishable.append(await self._broken(row, f"stored mail is invalid: {error}"))
                continue
            if row["uuid"] == published_uuid(row["uuid"]):
                due.messages.append(message)
                size += message.size
                if size >= MAX_BYTES:
                    break
            else:
                due.unpublishable.append(_conflict(row, message))
        await self.finish(expired)
        return replace(due, expired=len(expired))

    async def _without_held(self, rows: list[sqlite3.Row], now: float) -> list[sqlite3.Row]:
        if not self._holds:
            return rows
        free, held = [], []
        for row in rows:
            bulk = row["lane"] != Lane.TRANSACTIONAL
            if key := self._holds.covering_mail(row["topic_id"], row["tenant"], bulk=bulk):
                held.append({"id": row["id"], "key": key, "now": now})
            else:
                free.append(row)
        if held:
            async with self._database.transaction() as connection:
                await connection.executemany(statements.HOLD, held)
        return free

    async def _take_turns(self, lane: Lane, limit: int, choice: dict[str, object], now: float) -> list[sqlite3.Row]:
        tenants = await self._next_tenants(lane)
        rows: list[sqlite3.Row] = []
        for place, tenant in enumerate(tenants):
            share = -(-(limit - len(rows)) // (len(tenants) - place))  # what others don't need is shared by the rest
            rows += await self._database.fetch(statements.DUE, choice | {"now": now, "limit": share, "tenant": tenant})
            self._last_turn[lane] = tenant
            if len(rows) >= limit:
                break
        return rows

    async def _next_tenants(self, lane: Lane) -> list[str]:
        """Tenants with unpublished mail, beginning after the one that had its turn last."""
        last = self._last_turn.get(lane, _BEFORE_ALL)
        choice: dict[str, object] = {"transactional": lane is Lane.TRANSACTIONAL, "most": _MOST_TENANTS}
        after = await self._database.fetch(statements.TURNS, choice | {"after": last})
        if len(after) < _MOST_TENANTS and isinstance(last, str):
            others = await self._database.fetch(statements.TURNS, choice | {"after": _BEFORE_ALL})
            after += [row for row in others if row["tenant"] <= last]
        return [row["tenant"] for row in after[:_MOST_TENANTS]]

    async def finish(self, mails: list[tuple[int, Status, str]]) -> None:
        """Finish mails (row, status, reason) that will not be published."""
        if mails:
            now = time.time()
            rows = [{"id": mail, "status": status, "error": error, "now": now} for mail, status, error in mails]
            async with self._database.transaction() as connection:
                await connection.executemany(statements.FINISH, rows)

    async def next_due(self, lane: Lane, excluded: Excluded = _NOTHING) -> float | None:
        """When a lane's next mail is due (Unix seconds, may be in the past); None without mail that is not `excluded`."""
        all_tenants: dict[str, object] = {"after": _BEFORE_ALL, "most": -1}
        choice = await self._choice(lane, excluded)
        ((next_due,),) = await self._database.fetch(statements.NEXT_DUE, choice | all_tenants)
        return None if next_due is None else float(next_due)

    async def _choice(self, lane: Lane, excluded: Excluded) -> dict[str, object]:
        return {
            "transactional": lane is Lane.TRANSACTIONAL,
            "contents": orjson.dumps(await self._still_there(excluded.contents)).decode(),
            "mails": orjson.dumps(excluded.mails).decode(),
        }

    async def _still_there(self, contents: Sequence[StoredContent]) -> list[int]:
        """The row ids of those that were not deleted."""
        if not contents:
            return []
        known = orjson.dumps({str(each.id): each.hash for each in contents}).decode()
        return [row["id"] for row in await self._database.fetch(statements.STILL_THERE, {"contents": known})]

    async def mark_published(self, mails: Sequence[tuple[int, int]]) -> None:
        """Record mails (row, sequence in the queue) that the queue has stored."""
        async with self._database.transaction() as connection:
            await connection.execute(
                statements.MARK_PUBLISHED, {"now": time.time(), "published": orjson.dumps(mails).decode()}
            )

    async def record_refusal(self, content: StoredContent, reason: str) -> None:
        """Record why mail with this content can't be published at present."""
        values = {"content": content.id, "hash": content.hash, "reason": reason, "now": time.time()}
        async with self._database.transaction() as connection:
            await connection.execute(statements.NOTE_REFUSED, values)

    async def outstanding(self) -> set[int]:
        """Rows that are published but not finished."""
        return {row[0] for row in await self._database.fetch(statements.OUTSTANDING)}

    async def unpublish_lost(self, before: float, backlog: Backlog) -> int:
        """Mark mail as unpublished that was published before (Unix seconds), is open, and is no longer in the queue.

        `backlog` is from that moment or later. Returns the number of mails.
        """
        state = {"nothing_left": not backlog.unsettled, "settled": backlog.ack_floor, "last": backlog.last}
        async with self._database.transaction() as connection:
            return (await connection.execute(statements.UNPUBLISH, {"before": before} | state)).rowcount

    async def _content(self, content_hash: bytes) -> Content:
        if content_hash not in self._contents:
            fields = await self._fields(content_hash)
            if fields is None:
                raise UndecodableError("its content no longer exists")
            content = content_from(fields)
            if _bytes_in_memory(content) > _CACHED_BYTES:
                return content
            self._contents[content_hash] = content
        return self._contents[content_hash]

    async def _fields(self, content_hash: bytes) -> dict[str, object] | None:
        rows = await self._database.fetch(statements.CONTENT, (content_hash,))
        return content_fields(rows[0]["subject"], rows[0]["content"], rows[0]["extra"]) if rows else None

    async def _broken(self, row: sqlite3.Row, reason: str) -> Unpublishable:
        own = {name: row[name] for name in ("email", "topic_id", "expires_at") if row[name] is not None}
        own["uuid"] = published_uuid(row["uuid"])
        payload = orjson.dumps((await self._fields(row["content_hash"]) or {}) | own)
        return _unpublishable(row, payload, DeadLetterKind.UNDECODABLE, reason)


def _content_of(row: sqlite3.Row) -> StoredContent:
    found = row["content_hash"] or b""  # somebody may have deleted it
    return StoredContent(row["content_id"], found.hex().upper())


def _bytes_in_memory(content: Content) -> int:
    return content.size + _OBJECT_BYTES


def _conflict(row: sqlite3.Row, message: Message) -> Unpublishable:
    """With separate roles, a worker sent a mail with this uuid to other recipients before this one was published."""
    reason = "its uuid was used by a mail to other recipients"
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
        _content_of(row),
        payload,
        f"keeping:{row['id']}",
        kind,
        reason,
        row["created_at"],
        row["source"],
        headers=headers,
    )


def _message(row: sqlite3.Row, content: Content) -> Message:
    parse_address(row["email"])  # or workers would refuse it each time it is published
    own = {name: row[name] for name in ("email", "topic_id") if row[name] is not None}
    own["uuid"] = published_uuid(row["uuid"])
    if row["expires_at"] is not None:
        own["expires_at"] = from_unix(row["expires_at"])
    source = row["source"]
    # After a crash before `mark_published` it is published again, and the stream drops the duplicate id. What was published
    # before it was held is another message.
    again = f":{row['held_times']}" if row["held_times"] else ""
    headers = {Header.MSG_ID.value: f"{source}:{uuid_tag(own['uuid'])}{again}", ORIGIN: source}
    if row["lane"] == Lane.TRANSACTIONAL:
        headers[LANE] = Lane.TRANSACTIONAL
    if row["ramped_on"]:
        headers[RAMPED] = row["ramped_on"]
    if row["limited_on"] == today().isoformat():  # on another day it counts again
        headers[LIMITED] = row["limited_on"]
    payload = encode_mail(content, own)
    if row["traceparent"] and len(payload) <= MOST_TRACED:
        headers[TRACEPARENT] = row["traceparent"]
    return Message(row["id"], _content_of(row), payload, headers)
