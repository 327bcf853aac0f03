"""Follows the shared state: the worker's side. Nothing has to be looked up when mail arrives."""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import aclosing

import orjson
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from email_consumer.cluster.shared_state import (
    CANCELLED,
    HOLDS,
    RECEIVER,
    SECRET,
    SUPPRESSED,
    Cancellation,
    SharedValue,
    decode_holds,
    decode_secrets,
    shard_number,
)
from email_consumer.core.foreign_records import JUNK, ForeignRecords
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.mail_queue import Mark
from email_consumer.jetstream.key_value import shared_state_bucket
from email_consumer.jetstream.watch import Entry, WatchBrokenError, follow
from email_consumer.suppression.compact_set import SuppressedAddresses

_RETRY = 0.5
_NO_SIDECAR = "no sidecar has run yet; start one with `email-consumer sidecar`"

_log = structlog.get_logger(__name__)


class SharedStateWatcher:
    """`run` it as a service; no mail may be pulled before `ready` returns."""

    def __init__(
        self,
        client: Client,
        *,
        stream: str,
        cancel: Callable[[str, Mark], None],
        suppressed: SuppressedAddresses,
        hold: Callable[[Mapping[str, bool]], None],
        events_since: Callable[[float], None],
        heartbeat: float = 1.0,
        silence: float = 6.0,
    ) -> None:
        """Create it without any state.

        Args:
            client: connected.
            stream: names the bucket.
            cancel: called with topic and mark of each cancellation.
            suppressed: kept in step with the sidecar.
            hold: called with the keys of all active holds, and whether transactional mail is held as well.
            events_since: called with the time since which events from SES reach the sidecar, by NATS's clock (Unix seconds);
                infinity while they don't.
            heartbeat: seconds between two heartbeats of JetStream.
            silence: seconds without a heartbeat of the sidecar after which it counts as down.
        """
        self._client = client
        self._bucket = shared_state_bucket(stream)
        self._junk = ForeignRecords(self._bucket)
        self._cancel = cancel
        self._suppressed = suppressed
        self._hold = hold
        self._events_since = events_since
        self._heartbeat = heartbeat
        self._silence = silence
        self._complete = False
        self._trouble = ""
        self._silent: asyncio.TimerHandle | None = None
        self._fell_silent = False
        self._heard_again_at = -math.inf
        """When a sidecar that had fallen silent was first heard again."""
        self._secrets = LinkSecrets()
        self._since = math.inf
        self._ready = asyncio.Event()

    async def ready(self) -> LinkSecrets:
        """Wait until the state is complete; returns the secrets for links, which are kept in step with the sidecar."""
        await self._ready.wait()
        return self._secrets

    async def check(self) -> None:
        """Raise until the state is complete."""
        if not self._ready.is_set():
            raise ConnectionError(self._trouble or "the shared state is not loaded yet")

    async def run(self) -> None:
        """Follow the bucket until cancelled. After an outage everything is read again, so no change is missed."""
        self._events_since(math.inf)
        while True:
            try:
                async with aclosing(follow(self._client, self._bucket, self._heartbeat)) as entries:
                    async for entry in entries:
                        self._note(entry)
            except NotFoundError:
                self._report(_NO_SIDECAR)  # only the sidecar creates the bucket, since it also fills it
            except (NatsError, TimeoutError, WatchBrokenError) as error:
                self._report(str(error) or repr(error))
            self._complete = False
            await asyncio.sleep(_RETRY)

    def _report(self, trouble: str) -> None:
        if trouble != self._trouble:  # each outage is logged once
            _log.warning("shared_state.not_followed", error=trouble, hint="resumed automatically")
        self._trouble = trouble

    def _note(self, entry: Entry | None) -> None:
        if entry is None:
            self._complete, self._trouble = True, ""
        elif entry.value is not None:
            try:
                self._take(entry.key, SharedValue.of(entry.value, entry.headers), entry.stored_at)
            except JUNK as error:  # what is known stays; the rest is still read
                self._junk.skip(entry.key, error)
        if self._complete and self._secrets.kept and not self._ready.is_set():
            self._ready.set()
            _log.info("shared_state.loaded", suppressed=len(self._suppressed))

    def _take(self, key: str, shared: SharedValue, stored_at: float) -> None:
        if key.startswith(CANCELLED):
            cancellation = Cancellation.decode(shared)
            self._cancel(cancellation.topic_id, cancellation.mark)
        elif key.startswith(SUPPRESSED):
            self._suppressed.load(shard_number(key), shared.value)
        elif key == HOLDS:
            self._hold(decode_holds(shared))
        elif key == SECRET:
            self._secrets.replace(decode_secrets(shared))
        elif key == RECEIVER and self._complete:  # an older one may be the last heartbeat of a dead sidecar
            self._pulse(shared, stored_at)

    def _pulse(self, shared: SharedValue, stored_at: float) -> None:
        """`stored_at` and the result are by NATS's clock, since the sidecar's clock may differ."""
        heartbeat = orjson.loads(shared.value)
        if "for" in heartbeat:
            since = stored_at - float(heartbeat["for"])
            if not math.isfinite(since):
                raise ValueError("not a finite time")
            if self._fell_silent:  # it may have been stopped, and not know that it missed events
                self._fell_silent, self._heard_again_at = False, stored_at
            self._since = max(since, self._heard_again_at)
        elif not self._silent:  # a sidecar of the previous version: ready at the latest when we first heard from it
            self._since = stored_at
        if self._silent:
            self._silent.cancel()
        else:
            _log.info("receiver.up", since=self._since)
        self._silent = asyncio.get_running_loop().call_later(self._silence, self._fall_silent)
        self._events_since(self._since)

    def _fall_silent(self) -> None:
        self._silent, self._fell_silent = None, True
        _log.warning("receiver.down", hint="mail in doubt waits until the sidecar is back")
        self._events_since(math.inf)
