"""The KV bucket of claims: a read, and a write that only succeeds on what was read."""

import asyncio
import math

from nats.errors import Error as NatsError
from nats.js.api import Header
from nats.js.errors import NotFoundError

from email_consumer.core.foreign_records import JUNK, ForeignRecords
from email_consumer.core.ledger import LedgerBlockedError
from email_consumer.jetstream.publisher import ConflictError, LostAckError, Publisher, RefusedError
from email_consumer.ledgers.jetstream.record import Found, Record
from email_consumer.ledgers.jetstream.streams import Names

_OPERATION = "KV-Operation"
_LONGEST_WAIT = 100 * 365 * 86_400.0
"""Seconds; NATS counts nanoseconds in 64 bits."""


class ClaimBucket:
    """Keys are the mails' tags."""

    def blocked(self) -> str:
        """Why nothing is written at present; empty where nothing is known to be in the way."""
        return self._publisher.blocked(self._names.bucket_stream)

    def __init__(self, publisher: Publisher, *, stream: str, idempotency_ttl: float) -> None:
        """`stream` is the mail's; final records are forgotten `idempotency_ttl` seconds after they were written."""
        self._jetstream = publisher.client.jetstream()
        self._publisher = publisher
        self._names = Names(stream)
        self._ttl = max(1, math.ceil(idempotency_ttl))
        self._junk = ForeignRecords(
            self._names.bucket, "its mail is in doubt: it waits for SES's event, then IN_DOUBT decides"
        )

    async def read(self, key: str, until: float = math.inf) -> Found:
        """What the bucket's leader holds. While NATS is away, it waits, at the most `until` then (event-loop clock).

        Raises:
            LedgerBlockedError: then.
        """
        while True:
            try:
                # By the leader, not by "direct get": a replica may lag behind what was acknowledged.
                raw = await self._jetstream.get_msg(self._names.bucket_stream, subject=self._names.key(key))
            except NotFoundError:
                return Found()
            except (NatsError, TimeoutError) as error:
                await self._publisher.pause(error, self._names.key(key))
                if asyncio.get_running_loop().time() > until:
                    raise LedgerBlockedError(f"the claims can't be read: {error or repr(error)}") from None
                continue
            assert raw.seq is not None  # noqa: S101 - the server always says
            assert raw.time is not None  # noqa: S101
            deleted = _OPERATION in (raw.headers or {})  # by us, or by an operator's hand
            stored_at = raw.time.timestamp()
            record = self._read(key, raw.data, stored_at) if raw.data and not deleted else None
            return Found(record, raw.seq, stored_at)

    async def write(self, key: str, record: Record, revision: int, *, waits: float | None = None) -> int | None:
        """Replace what `revision` names (0: nothing); the new revision.

        A mail that `waits` for its time (seconds) is forgotten as if it had been finished then.

        None: not written, as far as anybody knows. Read and see: an answer that got lost may have been a yes.
        """
        headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision)}
        if record.final or waits is not None:
            headers[Header.MSG_TTL.value] = str(math.ceil(min(waits or 0.0, _LONGEST_WAIT)) + self._ttl)
        return await self._replace(key, record.encode(), headers)

    async def forget(self, key: str, revision: int) -> None:
        """Take back what we wrote; should it fail, it comes again together with its mail."""
        deletion = {_OPERATION: "DEL", Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision)}
        await self._replace(key, b"", deletion | {Header.MSG_TTL.value: str(self._ttl)})

    def _read(self, key: str, value: bytes, stored_at: float) -> Record:
        try:
            return Record.decode(value)
        except JUNK as error:
            self._junk.skip(key, error)
            return Record.unreadable(stored_at)

    async def _replace(self, key: str, value: bytes, headers: dict[str, str]) -> int | None:
        try:
            return (await self._publisher.once(self._names.key(key), value, headers)).sequence
        except ConflictError:
            return None
        except (LostAckError, RefusedError) as error:
            await self._publisher.pause(error, self._names.key(key))
            return None


async def mark_sent(bucket: ClaimBucket, tag: str, message_id: str, now: float, *, ours: bool) -> bool:
    """Settle a mail that SES's own event proves to be sent; False where the bucket knew.

    `tag` is the mail's, as the event carries it; `now` in Unix seconds. `ours`: no other program can have sent it. Then it
    is noted also where nothing is known of it: `run` may have had it in hand before there was a bucket.
    """
    while True:
        found = await bucket.read(tag)
        if found.record is None and not ours:
            return False
        record = found.sent(message_id, now)
        if record is None:
            return False
        if await bucket.write(tag, record, found.revision):
            return True
