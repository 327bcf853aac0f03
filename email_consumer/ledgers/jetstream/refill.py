"""Reconstructs the records of a lost claims bucket from the tables and the mail stream.

The tables know which mail is finished, in doubt or waiting. They don't know what was claimed a moment ago: that is mail which
was delivered and is not settled. Its worker may have sent it, so it counts as claimed at the time of the refill.
"""

import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, NamedTuple

from nats.aio.client import Client
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from email_consumer.core.delivery import REPLAY_OF
from email_consumer.core.ledger import Origin
from email_consumer.core.mail_queue import ORIGIN
from email_consumer.jetstream.api import ask
from email_consumer.ledgers.jetstream import statements
from email_consumer.ledgers.jetstream.record import BucketEntry, ClaimRecord, claimed
from email_consumer.ledgers.jetstream.scheduling import LONGEST_HOLD
from email_consumer.ledgers.rule import Granted, Policy, decide
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.message.keys import Reading
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, UndecodableError, decode
from email_consumer.store.database import Database
from email_consumer.store.status import Status

_AT_ONCE = 500


class Kept(NamedTuple):
    """A record to write into the bucket."""

    tag: str
    record: ClaimRecord
    waits: float | None
    """See `ClaimBucket.write`."""


class UnsettledMail(NamedTuple):
    """What the refill needs of a mail that was delivered and is not settled, without its content."""

    fingerprint: Fingerprint
    origin: Origin


@dataclass(frozen=True, slots=True)
class MailConsumers:
    """The consumers of the mail stream."""

    client: Client
    stream: str
    consumer: str
    """Of bulk mail."""
    transactional: str
    """Of transactional mail; it need not exist."""
    zone: tzinfo
    """The time zone of times without an offset."""

    async def unsettled(self) -> dict[str, list[UnsettledMail]]:
        """All mail that workers may be handling, by tag.

        Raises:
            nats.errors.Error: JetStream does not respond.
        """
        found: defaultdict[str, list[UnsettledMail]] = defaultdict(list)
        for lane, consumer in ((Lane.BULK, self.consumer), (Lane.TRANSACTIONAL, self.transactional)):
            async for raw in self._delivered(consumer):
                if message := self._read(raw):
                    found[message.tag].append(UnsettledMail(message.fingerprint, self._origin(raw, lane)))
        return found

    async def _delivered(self, consumer: str) -> AsyncIterator[RawStreamMsg]:
        """What it has delivered and is not all settled; none if it does not exist."""
        try:
            info = await ask(self.client, f"CONSUMER.INFO.{self.stream}.{consumer}")
        except NotFoundError:
            return
        sequence, last = info["ack_floor"]["stream_seq"] + 1, info["delivered"]["stream_seq"]
        subject = info["config"].get("filter_subject") or ">"
        while sequence <= last and (raw := await self._next(sequence, subject)) and (raw.seq or 0) <= last:
            sequence = (raw.seq or 0) + 1
            yield raw

    async def _next(self, sequence: int, subject: str) -> RawStreamMsg | None:
        try:
            return await self.client.jetstream().get_msg(self.stream, sequence, subject, next=True)
        except NotFoundError:
            return None

    def _read(self, raw: RawStreamMsg) -> EmailMessage | None:
        """Decode it; None if it is never sent, or not yet."""
        try:
            message = decode(raw.data or b"", Reading(self.zone))
        except UndecodableError:
            return None
        later = message.scheduled_at and message.scheduled_at.timestamp() > time.time()
        return None if later else message

    def _origin(self, raw: RawStreamMsg, lane: Lane) -> Origin:
        headers, sequence = raw.headers or {}, raw.seq or 0
        stored_at = raw.time.timestamp() if raw.time else 0.0
        reference = f"{self.stream}:{sequence}"
        return Origin(
            "nats",
            reference,
            sequence,
            stored_at,
            replay_of=headers.get(REPLAY_OF),
            kept=ORIGIN in headers,
            lane=lane,
        )


async def records(
    database: Database, unsettled: Mapping[str, Sequence[UnsettledMail]], policy: Policy, *, now: float
) -> AsyncIterator[Kept]:
    """All records for the bucket; `now` is by NATS's clock."""
    left = dict(unsettled)
    async for row in _rows(database, time.time() - policy.idempotency_ttl):
        tag = row["tag"] or row["uuid"]
        yield _kept(tag, _shown(row), left.pop(tag, ()), policy, now)
    for tag, mails in left.items():
        yield _kept(tag, None, mails, policy, now)


async def _rows(database: Database, ended_after: float) -> AsyncIterator[sqlite3.Row]:
    after = 0
    while rows := await database.fetch(
        statements.KNOWN_MAILS, {"after": after, "ended_after": ended_after, "most": _AT_ONCE}
    ):
        for row in rows:
            yield row
        after = rows[-1]["id"]


class _Shown(NamedTuple):
    found: BucketEntry
    waits: float | None


_STORED = "tables:"
"""In place of the delivery that brought a scheduled mail, which the tables don't know; see `ClaimRecord.kept`."""


def _shown(row: sqlite3.Row) -> _Shown:
    """The record according to the tables; mail claimed when `run` ended is in doubt."""
    status = Status(row["status"])
    scheduled = status is Status.CREATED and (row["scheduled_at"] is not None or row["held"])
    record = ClaimRecord(
        status,
        _STORED if scheduled else "",
        attempts=row["attempts"],
        in_doubt=status is Status.PROCESSED,
        claimed_at=row["claimed_at"] or 0.0,
        finished_at=row["finished_at"] or 0.0,
        message_id=row["message_id"],
        error=row["error"],
        replay_of=row["replay_of"],
        life=row["revision"],
        recipients=row["recipients_hash"],
        content=row["content_hash"],
    )
    waits = None
    if record.final:
        waits = record.finished_at - time.time()
    elif scheduled:
        waits = LONGEST_HOLD if row["held"] else max(0.0, row["scheduled_at"] - time.time())
    return _Shown(BucketEntry(record, row["revision"], record.finished_at or record.claimed_at), waits)


def _kept(tag: str, shown: _Shown | None, mails: Sequence[UnsettledMail], policy: Policy, now: float) -> Kept:
    """The record of one tag: claimed if the claim rule would have allowed a worker to claim it."""
    found = shown.found if shown else BucketEntry()
    known = found.known(0.0, now)
    for mail in mails:
        decision = decide(known, mail, mail.origin, policy, now=now, events_since=0.0)
        if isinstance(decision, Granted):
            # Any of several deliveries of one uuid may be the claimed one.
            delivery = mail.origin.reference if len(mails) == 1 else ""
            return Kept(tag, claimed(found, decision, delivery, mail, mail.origin), None)
    assert found.record is not None  # noqa: S101 - what nobody knows is granted
    return Kept(tag, found.record, shown.waits if shown else None)


def late(found: BucketEntry, entry: Mapping[str, Any], idempotency_ttl: float, *, before: float) -> Kept | None:
    """The record after an outcome that was published too late for the refill; None if it changes nothing.

    Records with a smaller revision than `before` were refilled and have not been claimed since.
    """
    status = Status(entry["status"])
    waits = (entry["finished_at"] or 0.0) - time.time()
    if status < Status.SENT or waits + idempotency_ttl <= 0:
        return None
    record = found.record
    if record and (record.final or (status is not Status.SENT and found.revision > before)):
        return None
    known = {
        "attempts": entry["attempts"],
        "claimed_at": entry["claimed_at"] or 0.0,
        "finished_at": entry["finished_at"],
        "message_id": entry["message_id"],
        "error": entry["error"],
        "replay_of": entry["replay_of"],
        "life": entry["life"],
        "recipients": entry["recipients_hash"],
        "content": entry["content_hash"],
    }
    return Kept(entry["tag"] or entry["uuid"], ClaimRecord(status, **known), waits)
