"""Mail that is due later: a worker hands it to a stream of its own, the sidecar takes it into its keeping."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import aiosqlite
import orjson
import structlog

from email_consumer.claim import Origin, TooLargeToKeepError
from email_consumer.delivery import Delivery
from email_consumer.ledger import statements
from email_consumer.ledger.decision import Stopper, ended_before
from email_consumer.ledger.entries import ScheduleEntry
from email_consumer.ledger.jetstream.statements import RETIRE_ENDED
from email_consumer.ledger.jetstream.streams import Names
from email_consumer.ledger.rows import keep_for_later, stopped_row
from email_consumer.message import EmailMessage, UndecodableError, decode, encode
from email_consumer.publisher import Publisher, TooLargeError
from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCommit
from email_consumer.tasks import beside

_ORIGIN = "Email-Origin"
_STREAM = "Email-Stream"
"""Beside the origin and not in it: a sidecar of the version before refuses one with a name that it doesn't know."""
_HEADER_ROOM = 512
"""Bytes for the mail's tag, the names of the headers and what frames them."""
_LATER = 60.0

_log = structlog.get_logger(__name__)


async def publish_scheduled(publisher: Publisher, stream: str, message: EmailMessage, origin: Origin) -> bool:
    """Return once `<stream>-scheduled` holds the mail; False when it was there already a short while ago.

    Raises:
        TooLargeToKeepError: the mail was close to the NATS server's limit, and is over it as we write it.
    """
    payload = encode(message)
    facts = asdict(origin)
    headers = {_STREAM: facts.pop("stream"), _ORIGIN: orjson.dumps(facts).decode()}
    room = publisher.client.max_payload - _HEADER_ROOM - len(headers[_ORIGIN])
    if len(payload) > room:
        raise TooLargeToKeepError(f"{len(payload)} bytes to schedule, the NATS server's max_payload leaves {room}")
    try:
        stored = await publisher.store(Names(stream).scheduled, payload, message.tag, headers)
    except TooLargeError as error:
        raise TooLargeToKeepError(str(error)) from None
    return not stored.duplicate


class ScheduledMail:
    """The sidecar's side. `handle` is what a JetStream intake on that stream calls for each delivery."""

    def __init__(
        self, database: Database, stopper: Stopper, kept: Callable[[], None], *, idempotency_ttl: float
    ) -> None:
        """`kept` is called after mail was taken into keeping; `idempotency_ttl` in seconds, as the workers have it."""
        self._stopper = stopper
        self._idempotency_ttl = idempotency_ttl
        self._kept = kept
        self._group: GroupCommit[ScheduleEntry, None] = GroupCommit(database, self._write)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write groups until the block ends."""
        async with beside(self._group.run):
            yield

    async def handle(self, delivery: Delivery) -> None:
        """Keep one mail. Whatever comes twice is kept once."""
        try:
            message = decode(delivery.payload)
            origin = Origin(**orjson.loads(delivery.headers[_ORIGIN]), stream=delivery.headers.get(_STREAM, ""))
        except (UndecodableError, KeyError, TypeError, orjson.JSONDecodeError) as error:
            # Ours are well formed: a newer worker's may not be, to us.
            _log.error("scheduled.undecodable", reference=delivery.reference, error=str(error), retry_in=_LATER)
            await delivery.nak(_LATER)
            return
        await self._group.submit(ScheduleEntry(message, origin))
        await delivery.ack()
        self._kept()

    async def _write(self, connection: aiosqlite.Connection, entries: list[ScheduleEntry]) -> list[None]:
        now = time.time()
        for entry in entries:
            # Its topic may have been cancelled on the way here.
            if stopped := self._stopper(entry.message, entry.origin):
                await connection.execute(statements.STOP, stopped_row(entry.message, entry.origin, stopped, now))
            else:
                limit = ended_before(entry.origin.stored_at, self._idempotency_ttl)
                await connection.execute(RETIRE_ENDED, {"uuid": entry.message.uuid, "ended_before": limit})
                await keep_for_later(connection, entry.message, entry.origin, now)
        return [None] * len(entries)
