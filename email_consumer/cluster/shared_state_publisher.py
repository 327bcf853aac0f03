"""Publishes the shared state to all workers: the sidecar's side."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress

import orjson
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.cluster.shared_state import (
    CANCELLED,
    HOLDS,
    KINDS,
    RECEIVER,
    SECRET,
    SUPPRESSED,
    Cancellation,
    SharedValue,
    decode_secrets,
    encode_holds,
    encode_secrets,
    shard_key,
    shard_number,
)
from email_consumer.core.foreign_records import JUNK, ForeignRecords
from email_consumer.core.mail_queue import Mark
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.key_value import ensure_bucket, shared_state_bucket, subject
from email_consumer.jetstream.publisher import LostAckError, Publisher, RefusedError
from email_consumer.jetstream.watch import Entry, WatchBrokenError, follow
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.suppression.compact_set import SuppressedAddresses

_CONCURRENT = 64
"""Values published concurrently: a million suppressed addresses take a second."""
_RETRY = 0.5
_HEARTBEAT = 1.0

_log = structlog.get_logger(__name__)


class SharedStatePublisher:
    """`open` it, pass it everything the database contains, then `announce` and `run` it.

    Every change is stored eventually, or passed again after the next start; only differences are written, and everything after a
    reconnect. `cancel`, `suppress`, `release` and `hold` correspond to those of the gate.
    """

    def __init__(self, client: Client, *, stream: str, replicas: int, pulse: float = 2.0) -> None:
        """`pulse`: seconds between two heartbeats of the event receiver."""
        self._client = client
        self._publisher = Publisher(client)
        self._bucket = shared_state_bucket(stream)
        self._replicas = replicas
        self._junk = ForeignRecords(self._bucket)
        self._pulse = pulse
        self._values: dict[str, SharedValue] = {}
        """Everything except the suppressed addresses and the heartbeat."""
        self._receiving_from: float | None = None
        """Since when (event-loop clock) events from SES have been reaching us."""
        self._suppressed = SuppressedAddresses()
        self._unstored: dict[str, set[str]] = {kind: set() for kind in KINDS}
        self._troubled = False
        """Whether something could not be stored, until everything is."""
        self._some_unstored = asyncio.Event()
        self._all_stored = asyncio.Event()
        self._all_stored.set()

    @property
    def suppressed(self) -> int:
        """Number of addresses the workers know, or are about to know, as suppressed."""
        return len(self._suppressed)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The stored secrets, newest first; empty without any."""
        return decode_secrets(self._values[SECRET]) if SECRET in self._values else ()

    async def open(self) -> None:
        """Read the bucket, and create it if it is missing.

        Raises:
            nats.errors.Error: JetStream refused or did not answer.
            email_consumer.jetstream.watch.WatchBrokenError: the connection broke.
        """
        await ensure_bucket(self._client, self._bucket, replicas=self._replicas)
        async with aclosing(follow(self._client, self._bucket, _HEARTBEAT)) as entries:
            async for entry in entries:
                if entry is None:
                    return
                if entry.value is None:
                    continue
                try:
                    self._read(entry.key, SharedValue.of(entry.value, entry.headers))
                except JUNK as error:  # not ours; if it replaced a value of ours, that is written again
                    self._junk.skip(entry.key, error)

    def cancel(self, topic_id: str, mark: Mark) -> None:
        """Stop mail of the topic that was stored up to `mark`."""
        cancellation = Cancellation(topic_id, mark)
        self._set(CANCELLED, cancellation.key, cancellation.encode())

    def forget(self, over: Callable[[Mark], bool]) -> None:
        """Delete the cancellations that are `over`: no mail that they cover can come."""
        for key in [key for key in self._values if key.startswith(CANCELLED)]:
            if over(Cancellation.decode(self._values[key]).mark):
                del self._values[key]
                self._mark(CANCELLED, key)

    def suppress(self, stops: Mapping[str, str]) -> None:
        """Stop mail; the keys are as `suppression.stop_key` makes them, the values are the reasons."""
        changed = {self._suppressed.add(key, reason) for key, reason in stops.items()}
        for shard in changed:
            self._mark_shard(shard)

    def release(self, stop: str) -> None:
        """Undo what `suppress` did for this key."""
        self._mark_shard(self._suppressed.discard(stop))

    def hold(self, keys: Mapping[str, bool]) -> None:
        """Hold mail with exactly these keys; the values: whether transactional mail is held as well."""
        self._set(HOLDS, HOLDS, encode_holds(keys))

    def sign_links(self, secrets: tuple[str, ...]) -> None:
        """Publish the secrets (newest first); workers sign with the first one."""
        self._set(SECRET, SECRET, encode_secrets(secrets))

    def announce(self, secrets: tuple[str, ...], events_since: float) -> None:
        """Declare the state complete: workers may start once it is stored.

        `secrets`: see `sign_links`. `events_since`: when the event receiver became ready (Unix seconds).
        """
        self._receiving_from = asyncio.get_running_loop().time() - (time.time() - events_since)
        self._mark(RECEIVER, RECEIVER)
        self.sign_links(secrets)

    async def stored(self) -> None:
        """Wait until everything passed so far is stored; `run` has to be running."""
        await self._all_stored.wait()

    async def run(self) -> None:
        """Store changes, with retries, until cancelled."""
        async with supervised(Service("heartbeat", self._beat), Service("guard", self._guard)):
            await self._store_all()

    def _read(self, key: str, shared: SharedValue) -> None:
        if key.startswith(SUPPRESSED):
            self._suppressed.load(shard_number(key), shared.value)
        elif key.startswith(CANCELLED):
            Cancellation.decode(shared)
            self._values[key] = shared
        elif key == HOLDS:
            self._values[key] = shared
        elif key == SECRET:
            decode_secrets(shared)
            self._values[key] = shared

    def _set(self, kind: str, key: str, shared: SharedValue) -> None:
        if self._values.get(key) != shared:
            self._values[key] = shared
            self._mark(kind, key)

    def _mark_shard(self, shard: int | None) -> None:
        if shard is not None:
            self._mark(SUPPRESSED, shard_key(shard))

    def _mark(self, kind: str, key: str) -> None:
        self._unstored[kind].add(key)
        self._all_stored.clear()
        self._some_unstored.set()

    async def _beat(self) -> None:
        statistics = self._client.stats
        reconnects = statistics["reconnects"]
        while True:
            if statistics["reconnects"] != reconnects:  # a server that was killed may have forgotten the newest values
                reconnects = statistics["reconnects"]
                self._mark_all()
            if self._receiving_from is not None:
                self._mark(RECEIVER, RECEIVER)
            await asyncio.sleep(self._pulse)

    async def _guard(self) -> None:
        """Restore values that somebody deleted or overwrote: workers that start now have no other source."""
        while True:
            with suppress(NatsError, TimeoutError, WatchBrokenError):
                async with aclosing(follow(self._client, self._bucket, _HEARTBEAT)) as entries:
                    async for entry in entries:
                        if entry is not None and (kind := self._damaged_kind(entry)):
                            self._mark(kind, entry.key)
            await asyncio.sleep(_RETRY)

    def _damaged_kind(self, entry: Entry) -> str | None:
        """The kind of our value that this entry replaced; None if it is ours, or not one of our keys."""
        key, value = entry.key, entry.value
        if key in self._values:
            same = value is not None and SharedValue.of(value, entry.headers) == self._values[key]
            return None if same else next(kind for kind in KINDS if key.startswith(kind))
        with suppress(ValueError):  # not one of our keys
            number = shard_number(key)
            if self._suppressed.holds(number) and not _is_shard(number, value or b""):
                return SUPPRESSED
        return None

    async def _store_all(self) -> None:
        while True:
            await self._some_unstored.wait()
            kind = next((kind for kind in KINDS if self._unstored[kind]), None)
            if kind is None:
                self._troubled = False
                self._some_unstored.clear()
                self._all_stored.set()
                continue
            keys = [self._unstored[kind].pop() for _ in range(min(_CONCURRENT, len(self._unstored[kind])))]
            errors = [error for error in await asyncio.gather(*(self._store(kind, key) for key in keys)) if error]
            if errors:
                self._report(errors)
                await asyncio.sleep(_RETRY)
                await self._restore_bucket()

    def _report(self, errors: list[Exception]) -> None:
        if not self._troubled:  # each outage is logged once
            hint = "retried automatically"
            _log.warning("shared_state.not_stored", values=len(errors), error=repr(errors[0]), hint=hint)
        self._troubled = True

    async def _store(self, kind: str, key: str) -> Exception | None:
        if kind == CANCELLED and key not in self._values:
            await self._delete(key)
            return None
        shared = self._value(kind, key)
        try:
            await self._publisher.once(subject(self._bucket, key), shared.value, shared.headers)
        except (LostAckError, RefusedError) as error:
            self._unstored[kind].add(key)
            return error
        return None

    async def _delete(self, key: str) -> None:
        # Not by a marker, which would stay: that would be a record for each topic that was ever cancelled.
        try:
            await ask(self._client, f"STREAM.PURGE.KV_{self._bucket}", {"filter": subject(self._bucket, key)})
        except (NatsError, TimeoutError) as error:  # no harm is done, and the next start tries again
            _log.debug("shared_state.not_forgotten", key=key, error=repr(error))

    def _value(self, kind: str, key: str) -> SharedValue:
        if kind == SUPPRESSED:
            return SharedValue(self._suppressed.dump(shard_number(key)))
        if kind == RECEIVER:
            since = asyncio.get_running_loop().time() - (self._receiving_from or 0.0)
            # `since`, by our own clock, is for workers of the previous version.
            return SharedValue(orjson.dumps({"for": since, "since": time.time() - since}))
        return self._values[key]

    async def _restore_bucket(self) -> None:
        """Recreate the bucket if it is missing, and store everything again."""
        try:
            made = await ensure_bucket(self._client, self._bucket, replicas=self._replicas)
        except (NatsError, TimeoutError):
            return
        if made:
            self._mark_all()

    def _mark_all(self) -> None:
        for key in self._values:
            self._mark(next(kind for kind in KINDS if key.startswith(kind)), key)
        for shard in self._suppressed.shards:
            self._mark_shard(shard)


def _is_shard(number: int, value: bytes) -> bool:
    try:
        SuppressedAddresses().load(number, value)
    except JUNK:
        return False
    return True
