"""One ledger per consumer: two processes with a ledger each on one consumer would both send what one has sent.

Whoever sends holds a record in a KV bucket that names its ledger, and renews it. Another process waits until the record
has not moved for `LEASE` seconds by its own clock; nobody's clocks are compared.
"""

import asyncio
import json
import socket
from dataclasses import asdict, dataclass, replace
from uuid import uuid4

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError, NoStreamResponseError
from nats.js.kv import KeyValue

LEASE = 30.0
"""Seconds without a renewal after which the holder is taken for dead."""
_MARGIN = 5.0
"""The holder stops sending so much earlier than others may begin."""
_RENEWAL = 5.0
_POLL = 1.0

_log = structlog.get_logger(__name__)


class TenancyLostError(Exception):
    """Another process has taken the consumer over; this one must not send any more."""


@dataclass(frozen=True, slots=True)
class _Record:
    ledger: str
    host: str
    process: str
    released: bool = False

    @classmethod
    def read(cls, value: bytes | None) -> "_Record":
        return cls(**json.loads(value or b"{}"))

    def write(self) -> bytes:
        return json.dumps(asdict(self)).encode()


class Tenancy:
    """The right of one ledger to a consumer. `acquire` it, then `keep` it; `valid_until` tells how long it surely is."""

    def __init__(self, client: Client, *, stream: str, consumer: str, ledger: str, replicas: int) -> None:
        """`ledger` is the identity of our ledger's file."""
        self._jetstream: JetStreamContext = client.jetstream()
        self._bucket = f"{stream}-tenancy"
        self._key = consumer
        self._record = _Record(ledger, socket.gethostname(), uuid4().hex)
        self._replicas = replicas
        self._revision = 0
        self._valid_until = 0.0
        self._lapsed = False

    @property
    def valid_until(self) -> float:
        """Nobody else sends before this moment of the event loop's clock."""
        return self._valid_until

    async def acquire(self) -> bool:
        """Wait until the consumer is ours; True if another ledger (or nobody we know of) had it before.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        self._store = await self._open()
        waiting_since, seen, told = self._now(), -1, False
        while True:
            began = self._now()
            holder, revision = await self._holder()
            if revision != seen:
                seen, waiting_since = revision, began
            ours = holder is not None and (holder.ledger, holder.host) == (self._record.ledger, self._record.host)
            if holder is None or holder.released or ours or began - waiting_since > LEASE:
                if await self._write(self._record, revision, began):
                    return holder is None or holder.ledger != self._record.ledger
                continue
            if not told:
                told = True
                _log.warning(
                    "tenancy.waiting",
                    consumer=self._key,
                    host=holder.host,
                    hint="another email-consumer with a ledger of its own holds this consumer; waiting until it ends",
                )
            await asyncio.sleep(_POLL)

    async def keep(self) -> None:
        """Renew until cancelled.

        Raises:
            TenancyLostError: another process has it now.
        """
        while True:
            await asyncio.sleep(_RENEWAL)
            try:
                renewed = await self._write(self._record, self._revision, self._now())
            except (NoStreamResponseError, BucketNotFoundError):
                await self._reopen()  # a server that lost its store, or somebody deleted the bucket
                continue
            except (NatsError, TimeoutError) as error:
                _log.debug("tenancy.not_renewed", error=repr(error))
                self._warn_once_lapsed(repr(error))
                continue
            self._lapsed = False
            # A renewal whose answer got lost has moved the record too.
            if not renewed and not await self._still_ours():
                raise TenancyLostError(f"another email-consumer has taken over the consumer {self._key!r}")

    async def _reopen(self) -> None:
        _log.warning("tenancy.bucket_gone", bucket=self._bucket, hint="it is made anew")
        try:
            self._store = await self._open()
            renewed = await self._write(self._record, 0, self._now())
        except (NatsError, TimeoutError) as error:
            _log.debug("tenancy.not_renewed", error=repr(error))
            self._warn_once_lapsed(repr(error))
            return
        if not renewed and not await self._still_ours():
            raise TenancyLostError(f"another email-consumer has taken over the consumer {self._key!r}")

    def _warn_once_lapsed(self, error: str) -> None:
        if not self._lapsed and self._now() > self._valid_until:
            self._lapsed = True
            _log.error("tenancy.lapsed", error=error, hint="nothing is sent until JetStream answers again")

    async def release(self) -> None:
        """Let the next one begin at once."""
        try:
            await self._write(replace(self._record, released=True), self._revision, 0.0)
        except (NatsError, TimeoutError) as error:
            _log.debug("tenancy.not_released", error=repr(error))

    async def _still_ours(self) -> bool:
        try:
            holder, revision = await self._holder()
        except (NatsError, TimeoutError):
            return True  # asked again at the next renewal; `valid_until` doesn't move meanwhile
        if holder == self._record:
            self._revision = revision
        return holder == self._record

    async def _open(self) -> KeyValue:
        try:
            return await self._jetstream.key_value(self._bucket)
        except BucketNotFoundError:
            return await self._jetstream.create_key_value(bucket=self._bucket, history=1, replicas=self._replicas)

    async def _holder(self) -> tuple[_Record | None, int]:
        try:
            entry = await self._store.get(self._key)
        except KeyNotFoundError:
            return None, 0
        return _Record.read(entry.value), entry.revision or 0

    async def _write(self, record: _Record, revision: int, began: float) -> bool:
        """Replace the record if it is still the one of `revision`."""
        try:
            self._revision = await self._store.update(self._key, record.write(), last=revision)
        except KeyWrongLastSequenceError:
            return False
        self._valid_until = began + LEASE - _MARGIN
        return True

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
