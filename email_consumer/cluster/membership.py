"""A worker among workers: makes itself known, knows the others, and sends at its share of the rate or not at all."""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from contextlib import aclosing
from math import isfinite
from uuid import uuid4

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.cluster.share_rule import MemberRecord, MemberState, Roster
from email_consumer.core.foreign_records import JUNK, ForeignRecords
from email_consumer.core.pace import Holdable
from email_consumer.jetstream.key_value import DELETION, bucket_age, ensure_bucket, subject, workers_bucket
from email_consumer.jetstream.watch import Entry, WatchBrokenError, follow
from email_consumer.runtime.supervisor import Service, supervised

_HOLDER = "fleet"
_JOINING = "waiting for the other workers to make room"
_CUT_OFF = "out of touch with the other workers: who can't see them doesn't send"
_FLUSH = 2
_KEPT = 2
"""The bucket keeps a record for this multiple of the ttl; what matters is how long readers count it."""

_log = structlog.get_logger(__name__)


class Membership:
    """`open` it before mail is taken in: from then on the pace is held until the others have made room.

    Then `run` it, and `leave` when nothing more is released. The rule is in `roll`.
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
        """Take what it steers. All workers of a stream must have the same times.

        Args:
            client: connected.
            stream: names the bucket.
            replicas: of the bucket, where it is still to be made.
            set_workers: called with the number of workers that share the rate.
            pace: is held while this one must not send.
            beat: seconds between two records of ours, above 0.3.
            ttl: seconds after which a silent worker is taken for dead.
            margin: it stops sending this many seconds earlier.
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
        self._max_age = _KEPT * ttl
        self._applied = MemberState(1, sends=False)
        self._following = False
        self._trouble = ""
        self._write_now = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def valid_until(self) -> float:
        """No mail may be released after this moment of the event loop's clock; it moves on with each beat."""
        return self._roster.valid_until

    @property
    def workers(self) -> int:
        """Live workers that we know, this one included."""
        return self._applied.workers

    async def open(self) -> None:
        """Hold the pace, and see to it that there is a bucket.

        Raises:
            nats.errors.Error: JetStream refused or did not answer.
        """
        self._pace.hold(_HOLDER, _JOINING)
        await ensure_bucket(self._client, self._bucket, replicas=self._replicas, max_age=self._max_age)

    async def run(self) -> None:
        """Keep the place among the others until cancelled; an outage of any length is bridged."""
        async with supervised(Service("membership record", self._write)):
            await self._read()

    async def leave(self) -> None:
        """Give the share to the others at once; to be called after `run` ended and when nothing is released any more."""
        try:
            for name in {self._roster.name, *self._roster.former_names}:
                await self._client.publish(subject(self._bucket, name), headers=DELETION)
            await self._client.flush(_FLUSH)
        except (NatsError, TimeoutError) as error:
            _log.debug("fleet.left_in_silence", error=repr(error))

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
                _log.debug("fleet.no_bucket", error=repr(error))

    def _report(self, trouble: str) -> None:
        if trouble != self._trouble:  # an outage is logged once
            _log.warning("fleet.watch_broken", error=trouble, hint="resumed automatically")
        self._trouble = trouble

    async def _begin(self) -> None:
        """All that was stored has been read: from here on our word counts."""
        # Asked only now: a bucket that is lost after this ends the watch.
        age = await bucket_age(self._client, self._bucket)
        self._roster.found(age, self._loop.time())
        self._following, self._trouble = True, ""
        self._write_now.set()

    def _note(self, entry: Entry) -> None:
        now = self._loop.time()
        try:
            record = None if entry.value is None else _decode(entry.value)
        except JUNK as error:  # its writer shares no rate with us
            self._junk.skip(entry.key, error)
        else:
            if self._roster.read(entry.key, record, now):
                self._write_now.set()  # it waits for us to say that we know it
        if not entry.pending:
            self._roster.caught_up(now)
        self._apply(now)

    async def _write(self) -> None:
        while True:
            self._write_now.clear()
            if self._following:  # who sees nothing keeps silent, so that nobody counts on its word
                try:
                    await self._publish()
                except NatsError as error:
                    _log.debug("fleet.not_written", error=repr(error))
            await self._pause()

    async def _publish(self) -> None:
        # Not waited for: reading it back is what counts.
        for name in self._roster.former_names:
            await self._client.publish(subject(self._bucket, name), headers=DELETION)
        record = self._roster.write(self._loop.time())
        await self._client.publish(subject(self._bucket, self._roster.name), _encode(record))

    async def _pause(self) -> None:
        """Until the next beat, or until there is a reason to write sooner; stop sending on time meanwhile."""
        end = self._loop.time() + self._beat
        while (now := self._loop.time()) < end:
            self._apply(now)
            until = min(end, self._roster.valid_until or end)
            try:
                async with asyncio.timeout_at(until):
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
            _log.warning("fleet.cut_off", hint="JetStream does not answer; sending resumes automatically")
        if state.sends:
            _log.info("fleet.workers", workers=state.workers)


def _encode(record: MemberRecord) -> bytes:
    return json.dumps({"sent": record.sent, "knows": sorted(record.knows), **record.about}).encode()


def _decode(value: bytes) -> MemberRecord:
    fields = json.loads(value)
    sent, knows = float(fields.pop("sent")), frozenset(fields.pop("knows"))
    if not all(isinstance(name, str) for name in knows):
        raise TypeError("names that are no text")
    if not isfinite(sent):
        raise ValueError("not a valid time")
    return MemberRecord(sent, knows, fields)
