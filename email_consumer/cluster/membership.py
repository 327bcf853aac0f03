"""A worker's membership in the cluster: it announces itself, knows the other workers, and sends at its share of the rate or not at all."""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import aclosing
from math import isfinite
from uuid import uuid4

import orjson
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.cluster.share_rule import MemberRecord, MemberState, Roster
from email_consumer.core.foreign_records import JUNK, ForeignRecords
from email_consumer.core.pace import Holdable
from email_consumer.jetstream.key_value import DELETION, bucket_age, ensure_bucket, subject, workers_bucket
from email_consumer.jetstream.watch import Entry, WatchBrokenError, follow
from email_consumer.runtime.clock import elapsed
from email_consumer.runtime.supervisor import Service, supervised

_HOLDER = "fleet"
_JOINING = "waiting for the other workers to make room"
_CUT_OFF = "out of touch with the other workers; a worker that can't see them must not send"
_FLUSH = 2
_MAX_AGE_FACTOR = 2
"""The bucket keeps records for this multiple of the ttl; what matters is how long readers count them."""

_log = structlog.get_logger(__name__)


class Membership:
    """`open` it before mail is pulled: the pace is held until the other workers have made room.

    Then `run` it, and `leave` when no more mail is released. The rule is in `share_rule`.
    """

    def __init__(
        self,
        client: Client,
        *,
        stream: str,
        replicas: int,
        set_workers: Callable[[int], None],
        pace: Holdable,
        beat: float = 1.5,
        ttl: float = 6.0,
        margin: float = 1.0,
    ) -> None:
        """Create it outside the cluster. All workers of a stream must have the same `beat`, `ttl` and `margin`.

        Args:
            client: connected.
            stream: the mail stream, which names the bucket.
            replicas: of the bucket, if it has to be created.
            set_workers: called with the number of workers that share the rate.
            pace: held while this worker must not send.
            beat: seconds between two records of this worker, above 0.3.
            ttl: seconds after which a silent worker counts as dead.
            margin: seconds before that at which it stops sending.
        """
        about = {"host": socket.gethostname(), "started": str(int(time.time()))}
        self._roster = Roster(about, lambda: uuid4().hex[:12], ttl=ttl, margin=margin)
        self._client = client
        self._bucket = workers_bucket(stream)
        self._junk = ForeignRecords(self._bucket)
        self._replicas = replicas
        self._set_workers = set_workers
        self._pace = pace
        self._beat = beat
        self._max_age = _MAX_AGE_FACTOR * ttl
        self._applied = MemberState(1, sends=False)
        self._following = False
        self._trouble = ""
        self._write_now = asyncio.Event()

    @property
    def valid_until(self) -> float:
        """No mail may be released after this time by `elapsed`; each beat extends it."""
        return self._roster.valid_until

    @property
    def workers(self) -> int:
        """Number of known live workers, including this one."""
        return self._applied.workers

    async def open(self) -> None:
        """Hold the pace, and create the bucket if it is missing.

        Raises:
            nats.errors.Error: JetStream refused or did not answer.
        """
        self._pace.hold(_HOLDER, _JOINING)
        await ensure_bucket(self._client, self._bucket, replicas=self._replicas, max_age=self._max_age)

    async def run(self) -> None:
        """Stay a member until cancelled, through outages of any length."""
        async with supervised(Service("membership record", self._write)):
            await self._read()

    async def leave(self) -> None:
        """Give the share to the others at once; call it after `run` has ended and when no more mail is released."""
        try:
            for name in {self._roster.name, *self._roster.former_names}:
                await self._client.publish(subject(self._bucket, name), headers=DELETION)
            await self._client.flush(_FLUSH)
        except (NatsError, TimeoutError) as error:
            _log.debug("cluster.leave_not_announced", error=repr(error))

    async def _read(self) -> None:
        while True:
            try:
                async with aclosing(follow(self._client, self._bucket, self._beat / 3)) as entries:
                    async for entry in entries:
                        if entry is None:
                            await self._begin()
                        else:
                            self._note(entry)
            except (NatsError, TimeoutError, WatchBrokenError) as error:
                self._report(str(error) or repr(error))
            self._following = False
            self._roster.lost()
            await asyncio.sleep(self._beat / 2)
            try:
                await ensure_bucket(self._client, self._bucket, replicas=self._replicas, max_age=self._max_age)
            except (NatsError, TimeoutError) as error:
                _log.debug("cluster.no_bucket", error=repr(error))

    def _report(self, trouble: str) -> None:
        if trouble != self._trouble:  # each outage is logged once
            _log.warning("cluster.watch_broken", error=trouble, hint="resumed automatically")
        self._trouble = trouble

    async def _begin(self) -> None:
        """Everything stored has been read: from here on this worker takes part."""
        # Only read now, since losing the bucket after this point ends the watch.
        age = await bucket_age(self._client, self._bucket)
        self._roster.found(age, elapsed())
        self._following, self._trouble = True, ""
        self._write_now.set()

    def _note(self, entry: Entry) -> None:
        now = elapsed()
        try:
            record = None if entry.value is None else _decode(entry.value)
        except JUNK as error:  # its writer does not share the rate
            self._junk.skip(entry.key, error)
        else:
            if self._roster.read(entry.key, record, now):
                self._write_now.set()  # the new member waits until we acknowledge it
        if not entry.pending:
            self._roster.caught_up(now)
        self._apply(now)

    async def _write(self) -> None:
        while True:
            self._write_now.clear()
            if self._following:  # a worker that can't read must not write, so that nobody relies on it
                try:
                    await self._publish()
                except NatsError as error:
                    _log.debug("cluster.not_written", error=repr(error))
            await self._pause()

    async def _publish(self) -> None:
        # No acknowledgement: reading the record back is what counts.
        for name in self._roster.former_names:
            await self._client.publish(subject(self._bucket, name), headers=DELETION)
        record = self._roster.write(elapsed())
        await self._client.publish(subject(self._bucket, self._roster.name), _encode(record))

    async def _pause(self) -> None:
        """Wait until the next beat, or until there is a reason to write sooner, and stop sending in time."""
        end = elapsed() + self._beat
        while (now := elapsed()) < end:
            self._apply(now)
            until = min(end, self._roster.valid_until or end)
            try:
                async with asyncio.timeout(until - now):
                    await self._write_now.wait()
            except TimeoutError:
                continue
            return

    def _apply(self, now: float) -> None:
        state, before = self._roster.state(now), self._applied
        if state == before:
            return
        self._applied = state
        if state.workers != before.workers:
            self._set_workers(state.workers)
        if state.sends and not before.sends:
            self._pace.resume(_HOLDER)
        elif before.sends and not state.sends:
            self._pace.hold(_HOLDER, _CUT_OFF)
            _log.warning("cluster.cut_off", hint="JetStream does not respond; sending resumes automatically")
        if state.sends:
            _log.info("cluster.workers", workers=state.workers)


def _encode(record: MemberRecord) -> bytes:
    return orjson.dumps({"sent": record.sent, "knows": sorted(record.knows), **record.about})


def _decode(value: bytes) -> MemberRecord:
    fields = orjson.loads(value)
    sent, knows = float(fields.pop("sent")), frozenset(fields.pop("knows"))
    if not all(isinstance(name, str) for name in knows):
        raise TypeError("names that are not text")
    if not isfinite(sent):
        raise ValueError("not a finite time")
    return MemberRecord(sent, knows, fields)
