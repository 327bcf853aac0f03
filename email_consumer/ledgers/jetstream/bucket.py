"""The claims bucket (KV): reads, and writes that only succeed if they replace exactly what was read."""

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
    """The bucket does not exist, or accepts no claims until the sidecar has refilled it."""

    def __init__(self) -> None:
        super().__init__(LOST)


class ClaimBucket:
    """Keys are the mails' tags."""

    def __init__(self, publisher: Publisher, *, stream: str, idempotency_ttl: float, refilling: bool = False) -> None:
        """Access the bucket of one mail stream.

        Args:
            publisher: connected.
            stream: the mail stream.
            idempotency_ttl: seconds after the outcome at which final records expire.
            refilling: write only while the bucket accepts no claims.
        """
        self._jetstream = publisher.client.jetstream()
        self._publisher = publisher
        self._claims = ClaimsStream(publisher.client, stream)
        self._names = self._claims.names
        self.idempotency_ttl = max(1, math.ceil(idempotency_ttl))
        """In whole seconds."""
        self._junk = ForeignRecords(
            self._names.bucket, "its mail is in doubt: it waits for an event from SES, then IN_DOUBT decides"
        )
        self._refilling = refilling

    def blocked(self) -> str:
        """Why nothing can be written at the moment; empty if no obstacle is known."""
        return self._publisher.blocked(self._names.bucket_stream)

    async def read(self, key: str, until: float = math.inf) -> BucketEntry:
        """Read a record from the bucket's leader. While NATS is unavailable it waits until `until` (event-loop clock) at most.

        Raises:
            ClaimsLostError: the bucket does not exist.
            LedgerBlockedError: no answer by then.
        """
        while True:
            try:
                # From the leader and not by "direct get", since a replica may lag.
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
            deleted = _OPERATION in (raw.headers or {})  # by us, or by an operator
            stored_at = raw.time.timestamp()
            record = self._read(key, raw.data, stored_at) if raw.data and not deleted else None
            return BucketEntry(record, raw.seq, stored_at)

    async def write(self, key: str, record: ClaimRecord, revision: int, *, waits: float | None = None) -> int | None:
        """Replace the entry of this `revision` (0: none); returns the new revision.

        Args:
            key: the mail's tag.
            record: the new value.
            revision: of the entry to replace.
            waits: seconds until scheduled mail is due, from which its expiry counts; negative for an old outcome.

        Returns None if it is not known to be written. Then read the entry: a lost answer may have been a success.

        Raises:
            ClaimsLostError: the bucket does not exist, or does not accept it.
        """
        headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision)}
        if record.final or waits is not None:
            headers[Header.MSG_TTL.value] = str(
                max(1, math.ceil(min(waits or 0.0, _LONGEST_WAIT)) + self.idempotency_ttl)
            )
        return await self._replace(key, record.encode(), headers)

    async def forget(self, key: str, revision: int) -> None:
        """Delete what we wrote; if that fails, it is retried when the mail is redelivered."""
        deletion = {_OPERATION: "DEL", Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision)}
        await self._replace(key, b"", deletion | {Header.MSG_TTL.value: str(self.idempotency_ttl)})

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
        """Whether writes fail because the bucket is gone or being refilled, rather than because it has no leader at the moment."""
        try:
            return await self._claims.is_open() is self._refilling
        except (NatsError, TimeoutError):
            return False


async def mark_sent(bucket: ClaimBucket, tag: str, message_id: str, now: float, *, ours: bool) -> int:
    """Record that an event from SES proves a mail to be sent; the new revision, or 0 if the bucket says so already.

    `tag` is that of the mail, as in the event; `now` in Unix seconds. `ours`: no other program can have sent it, and its
    idempotency window is not over. Then it is recorded even if the tag is unknown: `run` may have sent it before the bucket
    existed.
    """
    while True:
        try:
            found = await bucket.read(tag)
            if found.record is None and not ours:
                return 0
            record = found.sent(message_id, now)
            if record is None:
                return 0
            if revision := await bucket.write(tag, record, found.revision):
                return revision
        except ClaimsLostError:
            await asyncio.sleep(_PAUSE)
