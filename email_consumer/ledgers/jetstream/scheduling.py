"""Scheduled and held mail: workers publish it to the stream `<STREAM>-scheduled`, the sidecar stores it until it is due."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import quote, unquote

import aiosqlite
import orjson
import structlog
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.dead_letters import DeadLetterKind, DeadLetterStore
from email_consumer.core.delivery import Delivery
from email_consumer.core.foreign_records import why_unreadable
from email_consumer.core.ledger import NotKeptError, Origin, TooLargeToKeepError
from email_consumer.core.traceparent import MOST_TRACED, TRACEPARENT, traceparent_of
from email_consumer.core.unsent import Unsent
from email_consumer.jetstream.publisher import LostAckError, Publisher, RefusedError, TooLargeError
from email_consumer.jetstream.stored_lately import StoredLately
from email_consumer.ledgers import statements
from email_consumer.ledgers.jetstream.statements import RETIRE_ENDED, RETIRE_FORMER, RETIRE_OPEN, SHOWN
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.jetstream.values import STRICT, Count, Moment
from email_consumer.ledgers.row_changes import ScheduleRequest
from email_consumer.ledgers.rows import as_json, keep_for_later, stopped_row, trace_rows
from email_consumer.ledgers.rule import CONFLICT, Stopper, ended_before
from email_consumer.message.model import EmailMessage, UndecodableError, decode, encode
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCommit

_ORIGIN = "Email-Origin"
_STREAM = "Email-Stream"
"""A separate header, since a sidecar of the previous version rejects origins with fields it doesn't know."""
_LIFE = "Email-Life"
_HELD_BY = "Email-Held-By"
"""The key of the hold that the mail waits for, percent-encoded."""
_KEPT = "Email-Kept"
"""Of held mail that the sidecar published: it has the row already, of which an erasure may have changed the recipients."""
_HEADER_ROOM = 512
"""Bytes for the mail's identity, the header names and the framing."""
_LATER = 60.0
_SOON = 1.0
_MOST_WAITS = 60
LONGEST_HOLD = 366 * 86_400.0
"""Seconds for which the claims bucket remembers held mail. Later, another copy of it would be stored as well, and sent no more
often: whichever is claimed first."""

_log = structlog.get_logger(__name__)


async def publish_scheduled(
    publisher: Publisher,
    stream: str,
    message: EmailMessage,
    origin: Origin,
    *,
    life: int,
    held_by: str | None = None,
    stored: StoredLately | None = None,
) -> None:
    """Return once `<stream>-scheduled` holds the mail; publishing the same delivery again creates no second copy.

    `life`: the revision of the claims bucket since which the uuid belongs to this mail; 0 if it was unknown before.
    `held_by`: the key of the hold that it waits for. `stored` gets what was stored.

    Raises:
        TooLargeToKeepError: with our headers the mail exceeds a limit of the NATS server.
    """
    payload = encode(message)
    fields = asdict(origin)
    del fields["kept"], fields["lane"], fields["traceparent"]  # have no meaning here, or a header
    headers = {_STREAM: fields.pop("stream"), _ORIGIN: orjson.dumps(fields).decode()} | (
        {_LIFE: str(life)} if life else {}
    )
    if held_by:
        headers[_HELD_BY] = quote(held_by)
        headers |= {_KEPT: "1"} if origin.kept else {}
    if origin.traceparent and len(payload) <= MOST_TRACED:
        headers[TRACEPARENT] = origin.traceparent
    room = publisher.client.max_payload - _HEADER_ROOM - len(headers[_ORIGIN]) - len(headers.get(_HELD_BY, ""))
    if len(payload) > room:
        raise TooLargeToKeepError(f"{len(payload)} bytes to schedule, but the NATS server's max_payload leaves {room}")
    identity = f"{message.tag}:{origin.reference}:{origin.stored_at:.6f}"
    try:
        await publisher.store(Names(stream).scheduled, payload, identity, headers)
        if stored:
            stored.add(Names(stream).scheduled, payload, identity, headers)
    except TooLargeError as error:
        raise TooLargeToKeepError(str(error)) from None
    except (LostAckError, RefusedError) as error:
        raise NotKeptError(str(error)) from None


class _Arrival(NamedTuple):
    message: EmailMessage
    origin: Origin
    life: int
    """See `publish_scheduled`."""
    patient: bool
    """Whether to wait for outcomes that are not in the tables yet."""
    held_by: str | None


class _WireOrigin(BaseModel):
    """The origin of the mail's own delivery, as written by a worker."""

    model_config = ConfigDict(extra="forbid", **STRICT)

    source: str
    reference: str
    sequence: Count
    stored_at: Moment
    received: Count
    replay_of: str | None


_WIRE_LIFE = TypeAdapter(Count)


def _read(delivery: Delivery) -> _Arrival:
    """Read what `publish_scheduled` wrote.

    Raises:
        UndecodableError, ValueError: it is something else.
    """
    message = decode(delivery.payload)
    headers = delivery.headers
    held_by = unquote(headers.get(_HELD_BY, "")) or None
    if (message.scheduled_at is None and held_by is None) or _ORIGIN not in headers:
        raise ValueError("it has no scheduled_at" if _ORIGIN in headers else "it was not published by a worker")
    origin = Origin(
        **vars(_WireOrigin.model_validate_json(headers[_ORIGIN])),
        stream=headers.get(_STREAM, ""),
        kept=_KEPT in headers,
        traceparent=traceparent_of(headers),
    )
    life = _WIRE_LIFE.validate_json(headers.get(_LIFE, "0"))
    return _Arrival(message, origin, life, delivery.received <= _MOST_WAITS, held_by)


class _Kept(Enum):
    YES = auto()
    CONFLICT = auto()
    """The uuid belongs to another mail."""
    NOT_YET = auto()
    """The uuid was used before, and that outcome is not in the tables yet."""


class ScheduledMail:
    """The sidecar's side: `handle` is called for each delivery of the stream."""

    def __init__(
        self,
        database: Database,
        stopper: Stopper,
        dead_letters: DeadLetterStore,
        unsent: Unsent,
        *,
        dead_letter_writer: DeadLetterWriter,
        kept: Callable[[], None],
        idempotency_ttl: float,
        keep_subjects: bool = True,
    ) -> None:
        """`kept` is called after mail was stored; `idempotency_ttl` in seconds, the same as for the workers.

        `keep_subjects`: whether rows contain the mails' subjects.
        """
        self._stopper = stopper
        self._dead_letters = dead_letters
        self._unsent = unsent
        self._writer = dead_letter_writer
        self._idempotency_ttl = idempotency_ttl
        self._keep_subjects = keep_subjects
        self._kept = kept
        self._group: GroupCommit[_Arrival, _Kept] = GroupCommit(database, self._write)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write groups until the block ends."""
        async with supervised(Service("scheduled mail", self._group.run)):
            yield

    async def handle(self, delivery: Delivery) -> None:
        """Store one mail; a redelivery changes nothing."""
        try:
            arrival = _read(delivery)
        except (UndecodableError, ValueError) as error:
            await self._refuse(delivery, why_unreadable(error) if isinstance(error, ValidationError) else str(error))
            return
        match await self._group.submit(arrival):
            case _Kept.YES:
                await delivery.ack()
                self._kept()
            case _Kept.CONFLICT:
                await self._write_dead_letter(delivery, DeadLetterKind.CONFLICT, CONFLICT.reason)
            case _Kept.NOT_YET:
                await delivery.nak(_SOON)

    async def _refuse(self, delivery: Delivery, reason: str) -> None:
        """Retry mail of a newer worker, which may be readable after an upgrade of the sidecar; give up on anything else."""
        if _ORIGIN in delivery.headers and delivery.received <= _MOST_WAITS:
            _log.error("scheduled.undecodable", reference=delivery.reference, error=reason, retry_in=_LATER)
            await delivery.nak(_LATER)
        else:
            await self._write_dead_letter(
                delivery, DeadLetterKind.UNDECODABLE, f"it can't be stored until it is due: {reason}"
            )

    async def _write_dead_letter(self, delivery: Delivery, kind: DeadLetterKind, reason: str) -> None:
        if not await self._writer.write(self._dead_letters, delivery, kind, reason, 0):
            await delivery.nak(_LATER)
            return
        self._unsent.count(kind)
        await delivery.ack()

    async def _write(self, connection: aiosqlite.Connection, arrivals: list[_Arrival]) -> list[_Kept]:
        now = time.time()
        return [await self._keep(connection, arrival, now) for arrival in arrivals]

    async def _keep(self, connection: aiosqlite.Connection, arrival: _Arrival, now: float) -> _Kept:
        message, origin, life, patient, held_by = arrival
        if life:
            retire = RETIRE_FORMER if patient else RETIRE_OPEN  # its outcome was lost
            await connection.execute(retire, {"uuid": message.uuid, "life": life})
        else:
            limit = ended_before(origin.stored_at, self._idempotency_ttl)
            await connection.execute(RETIRE_ENDED, {"uuid": message.uuid, "ended_before": limit})
        for row in await connection.execute_fetchall(SHOWN, (as_json([message.uuid]),)):
            if 0 < row["revision"] < life:
                return _Kept.NOT_YET
            if row["recipients_hash"] not in (None, message.fingerprint.recipients) and not origin.kept:
                return _Kept.CONFLICT
        # Its topic may have been cancelled on the way here.
        if stopped := self._stopper(message, origin):
            stop = stopped_row(message, origin, stopped, now, keep_subject=self._keep_subjects)
            await connection.execute(statements.STOP, stop)
            await connection.executemany(statements.TRACE, trace_rows([ScheduleRequest(message, origin)]))
            self._unsent.record(message.uuid, stopped.reason, detail=stopped.detail)
        else:
            await keep_for_later(
                connection,
                message,
                origin,
                now,
                keep_subject=self._keep_subjects,
                revision=life,
                held_by=held_by,
            )
        return _Kept.YES


def seconds_until_due(message: EmailMessage) -> float:
    """Of scheduled mail, by our clock; 0 if it is due."""
    assert message.scheduled_at is not None  # noqa: S101 - or it would not be scheduled
    return max(0.0, message.scheduled_at.timestamp() - time.time())
