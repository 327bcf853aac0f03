"""The KV bucket of claims: a read, and a write that only succeeds on what was read."""

import asyncio
import math

from nats.errors import Error as NatsError
from nats.js.api import Header
from nats.js.errors import NotFoundError

from email_consumer.core.foreign_records import JUNK, ForeignRecords
from email_consumer.core.ledger import LedgerBlockedError
from email_consumer.jetstream.publisher import ConflictError, LostAckError, NoStreamError, Publisher, RefusedError
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream, is_gone
from email_consumer.ledgers.jetstream.record import BucketEntry, ClaimRecord

_OPERATION = "KV-Operation"
_PAUSE = 0.25
_LONGEST_WAIT = 100 * 365 * 86_400.0
"""Seconds; NATS counts nanoseconds in 64 bits."""


LOST = "the claims bucket was lost; waiting for the sidecar to refill it"


class ClaimsLostError(LedgerBlockedError):
    """There is no bucket, or it takes no claims before the sidecar has refilled it."""

    def __init__(self) -> None:
        super().__init__(LOST)


class ClaimBucket:
    """Keys are the mails' tags."""

    def __init__(self, publisher: Publisher, *, stream: str, idempotency_ttl: float, refilling: bool = False) -> None:
        """Take what is kept where.

        Args:
            publisher: must be running.
            stream: the mail's.
            idempotency_ttl: final records are forgotten so many seconds after the outcome.
            refilling: write while the bucket takes no claims, and not once it does.
        """
        self._jetstream = publisher.client.jetstream()
        self._publisher = publisher
        self._claims = ClaimsStream(publisher.client, stream)
        self._names = self._claims.names
        self._ttl = max(1, math.ceil(idempotency_ttl))
        self._junk = ForeignRecords(
            self._names.bucket, "its mail is in doubt: it waits for SES's event, then IN_DOUBT decides"
        )
        self._refilling = refilling

    def blocked(self) -> str:
        """Why nothing is written at present; empty where nothing is known to be in the way."""
        return self._publisher.blocked(self._names.bucket_stream)

    async def read(self, key: str, until: float = math.inf) -> BucketEntry:
        """What the bucket's leader holds. While NATS is away, it waits, at the most `until` then (event-loop clock).

        Raises:
            ClaimsLostError: there is none.
            LedgerBlockedError: then.
        """
        while True:
            try:
                # By the leader, not by "direct get": a replica may lag behind what was acknowledged.
                raw = await self._jetstream.get_msg(self._names.bucket_stream, subject=self._names.key(key))
            except NotFoundError as error:
                if is_gone(error):
                    raise ClaimsLostError from None
                return BucketEntry()
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
            return BucketEntry(record, raw.seq, stored_at)

    async def write(self, key: str, record: ClaimRecord, revision: int, *, waits: float | None = None) -> int | None:
        """Replace what `revision` names (0: nothing); the new revision.

        A mail that `waits` for its time (seconds) is forgotten as if it had been finished then; less than 0 where its
        outcome is so old.

        None: not written, as far as anybody knows. Read and see: an answer that got lost may have been a yes.

        Raises:
            ClaimsLostError: there is no bucket that takes it.
        """
        headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision)}
        if record.final or waits is not None:
            headers[Header.MSG_TTL.value] = str(max(1, math.ceil(min(waits or 0.0, _LONGEST_WAIT)) + self._ttl))
        return await self._replace(key, record.encode(), headers)

    async def forget(self, key: str, revision: int) -> None:
        """Take back what we wrote; should it fail, it comes again together with its mail."""
        deletion = {_OPERATION: "DEL", Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision)}
        await self._replace(key, b"", deletion | {Header.MSG_TTL.value: str(self._ttl)})

    def _read(self, key: str, value: bytes, stored_at: float) -> ClaimRecord:
        try:
            return ClaimRecord.decode(value)
        except JUNK as error:
            self._junk.skip(key, error)
            return ClaimRecord.unreadable(stored_at)

    async def _replace(self, key: str, value: bytes, headers: dict[str, str]) -> int | None:
        subject = self._names.refill(key) if self._refilling else self._names.key(key)
        try:
            return (await self._publisher.once(subject, value, headers)).sequence
        except ConflictError:
            return None
        except (LostAckError, RefusedError) as error:
            if isinstance(error, NoStreamError) and await self._is_shut():
                raise ClaimsLostError from None
            await self._publisher.pause(error, self._names.key(key))
            return None

    async def _is_shut(self) -> bool:
        """Whether nobody listens because the bucket is gone, or is being refilled; else it has no leader at present."""
        try:
            return await self._claims.is_open() is self._refilling
        except (NatsError, TimeoutError):
            return False


async def mark_sent(bucket: ClaimBucket, tag: str, message_id: str, now: float, *, ours: bool) -> bool:
    """Settle a mail that an SES event proves to be sent; False where the bucket knew.

    `tag` is the mail's, as the event carries it; `now` in Unix seconds. `ours`: no other program can have sent it. Then it
    is noted also where nothing is known of it: `run` may have had it in hand before there was a bucket.
    """
    while True:
        try:
            found = await bucket.read(tag)
            if found.record is None and not ours:
                return False
            record = found.sent(message_id, now)
            if record is None:
                return False
            if await bucket.write(tag, record, found.revision):
                return True
        except ClaimsLostError:
            await asyncio.sleep(_PAUSE)
