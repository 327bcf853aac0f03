"""The consumer lease: one ledger per consumer, since two processes with separate ledgers would send the same mail twice.

A sending process holds a record in a KV bucket that names its ledger, and renews it. Another process waits until the record
has not changed for `LEASE` seconds by its own clock; no clocks are compared. A ledger shared by many processes has one
record, which all of them renew.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields, replace
from uuid import uuid4

import orjson
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import (
    BucketNotFoundError,
    KeyWrongLastSequenceError,
    NoStreamResponseError,
    NotFoundError,
)
from nats.js.kv import KeyValue

from email_consumer.core.foreign_records import JUNK
from email_consumer.runtime.clock import elapsed
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.ticks import until_tick

LEASE = 30.0
"""Seconds without a renewal after which the holder counts as dead."""
_MARGIN = 5.0
"""Seconds before that at which the holder stops sending."""
_RENEWAL = 5.0
_POLL = 1.0
_TRIES = 3

_log = structlog.get_logger(__name__)


def lease_bucket(stream: str) -> str:
    """The bucket with a record for each lease of the stream."""
    return f"{stream}-tenancy"


OnTakeover = Callable[[], Awaitable[Callable[[], Awaitable[object]]]]
"""Reads what the previous holder may have left unfinished, and returns what records it; see `ConsumerLease.acquire`."""


async def was_held(client: Client, stream: str, key: str) -> bool:
    """Whether anybody has ever held the lease.

    Raises:
        nats.errors.Error: JetStream did not answer.
    """
    bucket = lease_bucket(stream)
    try:
        await client.jetstream().get_msg(f"KV_{bucket}", subject=f"$KV.{bucket}.{key}")
    except NotFoundError:
        return False
    return True


class LeaseLostError(OperatorError):
    """Another process has taken over; this one must not send any more."""


class LeaseRefusedError(OperatorError):
    """A ledger of the other kind holds the lease; in plain words."""


@dataclass(frozen=True, slots=True)
class _Record:
    ledger: str
    host: str
    process: str
    released: bool = False
    shared: bool = False

    @classmethod
    def read(cls, value: bytes | None) -> "_Record | None":
        """Read a record of any version; None if it is something else."""
        try:
            values = orjson.loads(value or b"")
            named = {each.name: values[each.name] for each in fields(cls) if each.name in values}
            return cls(**named)
        except JUNK:
            return None

    def write(self) -> bytes:
        return orjson.dumps(asdict(self))


async def _unknown() -> bool:
    """Unknown, so assume it is not in use."""
    return False


class ConsumerLease:
    """The right of one ledger to use a consumer. `acquire` it, then `keep` it; it is certain until `valid_until`."""

    def __init__(
        self,
        client: Client,
        *,
        stream: str,
        key: str,
        what: str,
        ledger: str,
        replicas: int,
        shared: bool = False,
        in_use: Callable[[], Awaitable[bool]] = _unknown,
    ) -> None:
        """Describe the lease.

        Args:
            client: connected.
            stream: the mail stream, which names the bucket.
            key: of the record.
            what: the lease is for, in words.
            ledger: identity of our ledger.
            replicas: of the bucket, if it has to be created.
            shared: whether many processes share this ledger; then the record is never released but expires.
            in_use: whether somebody is using what the lease is for. If so, a missing record was lost, and its holder will
                write it again.
        """
        self._jetstream: JetStreamContext = client.jetstream()
        self._bucket = lease_bucket(stream)
        self._key = key
        self._what = what
        # Those who share write the same, so that each renews for all.
        host, process = ("", "") if shared else (socket.gethostname(), uuid4().hex)
        self._record = _Record(ledger, host, process, shared=shared)
        self._replicas = replicas
        self._in_use = in_use
        self._absent_since: float | None = None
        self._valid_until = 0.0
        self._lapsed = False

    @property
    def valid_until(self) -> float:
        """Nobody else sends before this time by `elapsed`."""
        return self._valid_until

    async def acquire(
        self,
        on_takeover: OnTakeover | None = None,
        waiting: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Wait for the lease; `waiting` is called with the reason if that takes long.

        If another or an unknown ledger held the lease, `on_takeover` first reads what the queue has delivered, and what it
        returns records that: so its record exists whenever we hold the lease, however this process ends. It is not recorded
        if somebody took the lease while it was read, and may have had mail delivered since.

        Raises:
            LeaseRefusedError: a ledger of the other kind (single-process or shared) holds it and is alive.
            nats.errors.Error: JetStream does not respond.
        """
        self._store = await self._open()
        lost = await self._in_use()
        waiting_since, seen, logged = self._now(), -1, False
        while True:
            began = self._now()
            holder, revision = await self._holder()
            if revision != seen:
                if seen > 0 and holder and holder.shared != self._record.shared and not holder.released:
                    raise LeaseRefusedError(self._refusal(holder))
                seen, waiting_since = revision, began
            if holder is None:
                free = not lost
            else:
                lost = True  # in case it is missing the next time
                free = holder.released or (holder.ledger, holder.host) == (self._record.ledger, self._record.host)
            if free or began - waiting_since > LEASE:
                if on_takeover and (holder is None or holder.ledger != self._record.ledger):
                    record = await on_takeover()
                    if (await self._holder())[1] != revision:
                        continue
                    await record()
                    began = self._now()
                if await self._write(self._record, revision, began):
                    return
                continue
            if not logged:
                logged = True
                host = holder.host if holder else ""
                hint = f"another email-consumer holds {self._what}; waiting until it ends"
                _log.warning("lease.waiting", key=self._key, host=host, hint=hint)
                if waiting:
                    await waiting(hint)
            await asyncio.sleep(_POLL)

    async def keep(self) -> None:
        """Renew until cancelled.

        Raises:
            LeaseLostError: another process holds it now.
        """
        while True:
            await asyncio.sleep(until_tick(_RENEWAL))
            try:
                for _ in range(_TRIES):
                    if await self._renew():
                        break
            except (NatsError, TimeoutError) as error:
                _log.debug("lease.not_renewed", error=repr(error))
                self._warn_once_lapsed(repr(error))

    def _warn_once_lapsed(self, error: str) -> None:
        if not self._lapsed and self._now() > self._valid_until:
            self._lapsed = True
            _log.error("lease.lapsed", error=error, hint="nothing is sent until JetStream answers again")

    async def release(self) -> None:
        """Let the next process start at once."""
        if self._record.shared:  # others may still use it
            return
        try:
            holder, revision = await self._holder()
            if holder == self._record:
                await self._write(replace(self._record, released=True), revision, 0.0)
        except (NatsError, TimeoutError) as error:
            _log.debug("lease.not_released", error=repr(error))

    async def _renew(self) -> bool:
        """Write the record again; False if another process that shares it did so at the same moment.

        The revision is always read first: revisions of a recreated bucket start over.

        If the record is missing while our lease lasts, nobody else can have held it: waiting processes know that it was
        lost, and give us time. After the lease has lapsed, somebody else may hold it, and will write it again soon.
        """
        began = self._now()
        holder, revision = await self._holder()
        if holder is None:
            self._absent_since = began if self._absent_since is None else self._absent_since
            if self._valid_until <= began <= self._absent_since + LEASE:
                return True
            _log.warning("lease.record_gone", key=self._key, hint="it is written again")
        elif holder != self._record:
            raise LeaseLostError(f"another email-consumer has taken over {self._what}")
        return await self._write(self._record, revision, began)

    def _refusal(self, holder: _Record) -> str:
        both = f"{self._what} must not have two ledgers, or mail would be sent twice"
        if holder.shared:
            return f"LEDGER: workers or a sidecar with LEDGER=jetstream are running on it, and {both}; stop them first"
        return f"LEDGER: `email-consumer run` with LEDGER=sqlite runs on it (host {holder.host}), and {both}; stop it first"

    async def _open(self) -> KeyValue:
        try:
            return await self._jetstream.key_value(self._bucket)
        except BucketNotFoundError:
            return await self._jetstream.create_key_value(bucket=self._bucket, history=1, replicas=self._replicas)

    async def _holder(self) -> tuple[_Record | None, int]:
        """The record, if it exists and can be read, and the revision that the next write has to replace."""
        # From the leader: replicas mix their own headers with the stored ones.
        try:
            raw = await self._jetstream.get_msg(f"KV_{self._bucket}", subject=f"$KV.{self._bucket}.{self._key}")
        except NotFoundError:
            return None, 0
        return _Record.read(raw.data), raw.seq or 0  # a deletion has a revision as well

    async def _write(self, record: _Record, revision: int, began: float) -> bool:
        """Replace the record if it still has this `revision`."""
        try:
            await self._store.update(self._key, record.write(), last=revision)
        except KeyWrongLastSequenceError:
            return False
        except NoStreamResponseError:  # a server that lost its store, or somebody deleted the bucket
            _log.warning("lease.bucket_gone", bucket=self._bucket, hint="it is recreated")
            self._store = await self._open()
            return False
        self._valid_until = began + LEASE - _MARGIN
        self._absent_since, self._lapsed = None, False
        return True

    @staticmethod
    def _now() -> float:
        return elapsed()
