"""The ledger on JetStream, for many workers: a record per uuid in a KV bucket, written by compare-and-set.

Whoever creates the record, or replaces the very one it read, has the claim. A claim whose worker never reported is in
doubt once its lease is over by the server's clock, which also says when it was stored. The worker itself acts only in the
first half of the lease, by its own monotonic clock from before the write.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from uuid import uuid4

from cachetools import TTLCache

from email_consumer.core.ledger import (
    Claim,
    ClaimAnswer,
    LedgerBlockedError,
    Origin,
    Refused,
    ScheduleAnswer,
    TooLargeToKeepError,
)
from email_consumer.core.outcome import Conflict, Duplicate, InDoubt, Outcome, Scheduled, Sent, Stopped
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimBucket, ClaimsLostError
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.clock import ServerClock
from email_consumer.ledgers.jetstream.guard import ClaimsGuard
from email_consumer.ledgers.jetstream.mail_state import encode_state
from email_consumer.ledgers.jetstream.outcomes import OutcomePublisher
from email_consumer.ledgers.jetstream.record import BucketEntry, ClaimRecord, claimed
from email_consumer.ledgers.jetstream.scheduling import publish_scheduled
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.rule import (
    LEASE,
    PATIENCE,
    Decision,
    Granted,
    Policy,
    Step,
    Stopper,
    Takeover,
    decide,
    duplicate_or_conflict,
)
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.message.model import EmailMessage
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.store.status import Status

_CACHED_UUIDS = 50_000
"""About 11 MB. A duplicate that is older costs a look-up over the network."""
_PAUSE = 0.25


class JetStreamLedger:
    """See `email_consumer.core.ledger.Ledger`. While NATS is away, or takes nothing, a claim waits for a while.

    While the bucket of claims is lost, claims wait. What was claimed before is finished: its outcome goes to the sidecar,
    which refills the bucket.
    """

    def __init__(
        self,
        publisher: Publisher,
        stopper: Stopper,
        policy: Policy,
        *,
        stream: str,
        takeover: Takeover | None = None,
        guard: ClaimsGuard | None = None,
        lease: float = LEASE,
        patience: float = PATIENCE,
        valid_until: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """`stream` is the mail's; `lease` in seconds, the same for all workers.

        `patience`: seconds that a mail waits for JetStream before it is claimed, and after its outcome is recorded.

        No claim reaches beyond `valid_until` (event-loop clock): until then our share of the rate is surely ours.
        """
        self._stopper = stopper
        self._policy = policy
        self._stream = stream
        self._takeover = takeover or Takeover(0, 0.0)
        self._lease = lease
        self._valid_until = valid_until
        self._publisher = publisher
        self._bucket = ClaimBucket(publisher, stream=stream, idempotency_ttl=policy.idempotency_ttl)
        self._clock = ServerClock(publisher, Names(stream).bucket_stream)
        self._guard = guard or ClaimsGuard(ClaimsStream(publisher.client, stream))
        self._patience = patience
        self._outcomes = OutcomePublisher(publisher, Names(stream).outcomes, patience)
        self._finished: TTLCache[str, Fingerprint] = TTLCache(_CACHED_UUIDS, policy.idempotency_ttl)
        self.worker = uuid4().hex
        """What the names of our claims begin with."""
        self._numbers = count(1)
        self._held: dict[str, BucketEntry] = {}
        """Our claims between `claim` and `finish`: no more than there are deliveries in hand."""
        self._unsure: TTLCache[str, tuple[str, float]] = TTLCache(_CACHED_UUIDS, lease)
        """By uuid, names of claims that may have been stored after nobody waited for them any more, and when they began."""
        self._events_since = time.time()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send outcomes on their way, and watch the bucket, until the block ends."""
        async with supervised(Service("outcome feed", self._outcomes.run), Service("claims guard", self._guard.run)):
            yield

    def events_expected_from(self, moment: float) -> None:
        """The event receiver is ready since `moment` by the server's clock: a grace counts from here at the earliest."""
        self._events_since = moment

    def known(self, message: EmailMessage) -> Duplicate | Conflict | None:
        finished = self._finished.get(message.uuid)
        return duplicate_or_conflict(finished, message.fingerprint) if finished else None

    async def claim(self, message: EmailMessage, origin: Origin) -> ClaimAnswer:
        if self._outcomes.blocked:  # what became of the mail could not be told
            raise LedgerBlockedError(self._outcomes.blocked)
        now = self._loop_time()
        name, began = self._unsure.pop(message.uuid, ("", 0.0))
        if not name:
            name, began = f"{self.worker}-{next(self._numbers)}", now
        while True:
            try:
                return await self._claim(message, origin, name, began, until=self._loop_time() + self._patience)
            except ClaimsLostError:
                # Sent back, it would be a second delivery after the refill, which somebody may have sent.
                if not await self._guard.whole():
                    raise
            except LedgerBlockedError:
                self._unsure[message.uuid] = name, began
                raise

    async def _claim(
        self, message: EmailMessage, origin: Origin, name: str, began: float, *, until: float
    ) -> ClaimAnswer:
        found = BucketEntry()  # most uuids are new: only a conflict costs a read
        while True:
            tried = self._loop_time()
            now = await self._clock.now(until) if found.record else 0.0  # of an unknown uuid nothing is of an age
            decision = self._decide(found, message, origin, now)
            match decision:
                case Granted():
                    record = claimed(found, decision, name, message, origin)
                case InDoubt(reason) if not (found.record and found.record.in_doubt):
                    record = self._doubted(found, message, reason)
                case _:
                    return await self._refuse(decision, found, message, origin)
            if revision := await self._bucket.write(message.tag, record, found.revision):
                found = BucketEntry(record, revision)
                if isinstance(decision, InDoubt):
                    return await self._refuse(decision, found, message, origin)
                return self._hold(message, found, tried)
            found = await self._bucket.read(message.tag, until)
            if found.held_by(name):  # it was stored, and the acknowledgement got lost
                return self._hold(message, found, began)
            self._check_patience(until)

    async def finish(self, message: EmailMessage, outcome: Outcome, origin: Origin) -> None:
        if isinstance(outcome, Conflict):
            await self._note_conflict(message, outcome, origin)
            return
        now = await self._moment_of(outcome)
        held = self._held.pop(message.uuid, None)
        found = held or BucketEntry()  # as with claims, only a conflict costs a read
        told = False
        while True:
            record = found.finished(held, message.fingerprint, outcome, now, origin.reference)
            if record is None:  # somebody else has had the last word
                break
            try:
                revision = await self._bucket.write(message.tag, record, found.revision)
                found = BucketEntry(record, revision) if revision else await self._bucket.read(message.tag)
            except ClaimsLostError:
                if held and await self._tell_instead(message, origin, BucketEntry(record, held.revision)):
                    told = True
                    break
                if not await self._guard.whole():
                    await asyncio.sleep(_PAUSE)
                found = held or BucketEntry()
            if found.record == record:
                break
        if not told and (record or (found.record and found.record.final)):
            await self._tell(message, origin, found)
        if isinstance(outcome, Sent):
            self._finished[message.uuid] = message.fingerprint

    async def schedule(self, message: EmailMessage, origin: Origin) -> ScheduleAnswer:
        found, until = BucketEntry(), self._loop_time() + self._patience
        while True:
            now = await self._clock.now(until) if found.record else 0.0
            decision = self._rule(found, message, origin, now)
            if not isinstance(decision, Granted):
                return await self._refuse(decision, found, message, origin)
            if found.record and found.record.status is Status.CREATED and not _replayed(found.record, origin):
                break
            record = _waiting(found, message, origin)
            revision = await self._bucket.write(message.tag, record, found.revision, waits=_seconds_until_due(message))
            found = BucketEntry(record, revision) if revision else await self._bucket.read(message.tag, until)
            self._check_patience(until)
        if (found.record.status, found.record.claim) != (Status.CREATED, origin.reference):
            return Duplicate()  # another delivery's, or it waits for another attempt
        # Also where the record is from an earlier time that this mail was delivered: its worker may have died before this.
        try:
            await publish_scheduled(self._publisher, self._stream, message, origin, life=found.record.life)
        except TooLargeToKeepError:
            await self._bucket.forget(message.tag, found.revision)
            raise
        return Scheduled()

    def _decide(self, found: BucketEntry, message: EmailMessage, origin: Origin, now: float) -> Decision | Stopped:
        if origin.received == 1 and found.held_by(origin.reference):
            # The bucket was lost while somebody had this delivery, which is we; and nobody had it before.
            return self._stopper(message, origin) or Granted(Step.RECLAIM, found.record.attempts if found.record else 0)
        if found.record is None and self._takeover.covers(origin):
            return InDoubt("it may have been sent under the ledger that had this consumer before")
        return self._rule(found, message, origin, now)

    def _rule(self, found: BucketEntry, message: EmailMessage, origin: Origin, now: float) -> Decision | Stopped:
        known = found.known(self._lease, now)
        decision = decide(known, message, origin, self._policy, now=now, events_since=self._events_since)
        return (isinstance(decision, Granted) and self._stopper(message, origin)) or decision

    def _hold(self, message: EmailMessage, found: BucketEntry, since: float) -> Claim:
        assert found.record is not None  # noqa: S101
        self._held[message.uuid] = found
        return Claim(found.record.attempts + 1, min(since + self._lease / 2, self._valid_until()))

    async def _refuse(self, answer: Refused, found: BucketEntry, message: EmailMessage, origin: Origin) -> Refused:
        # Whoever wrote the record may have died before its outcome was on its way. Then the mail is delivered again.
        # Or the stream of outcomes was lost with it, and mail of our own keeping is published until the tables show it.
        again = origin.received > 1 or origin.kept
        if found.record and isinstance(answer, (Duplicate, InDoubt)) and again:
            await self._tell(message, origin, found)
        return answer

    def _doubted(self, found: BucketEntry, message: EmailMessage, reason: str) -> ClaimRecord:
        if found.record:
            return found.doubted()
        return ClaimRecord(
            Status.PROCESSED,
            in_doubt=True,
            claimed_at=self._takeover.since,
            error=reason,
            **message.fingerprint._asdict(),
        )

    async def _note_conflict(self, message: EmailMessage, conflict: Conflict, origin: Origin) -> None:
        """In the history of the mail that the uuid stands for, whose state is what it was."""
        try:
            found = await self._bucket.read(message.tag)
        except ClaimsLostError:
            return
        if found.record:
            await self._outcomes.submit(encode_state(message, origin, found, time.time(), conflict=conflict.reason))

    async def _moment_of(self, outcome: Outcome) -> float:
        """The grace of a doubt counts by the server's clock; when it ended is only shown."""
        if isinstance(outcome, InDoubt):
            with suppress(ClaimsLostError):
                return await self._clock.now()
        return time.time()

    async def _tell(self, message: EmailMessage, origin: Origin, found: BucketEntry) -> None:
        await self._outcomes.submit(encode_state(message, origin, found, time.time()))

    async def _tell_instead(self, message: EmailMessage, origin: Origin, found: BucketEntry) -> bool:
        """The sidecar refills the bucket with what it is told. The revision of our claim is nobody else's."""
        try:
            await self._tell(message, origin, found)
        except LedgerBlockedError:
            return False
        return True

    def _check_patience(self, until: float) -> None:
        if self._loop_time() > until:
            raise LedgerBlockedError(f"claims can't be stored: {self._bucket.blocked() or 'others claim the same'}")

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()


def _waiting(found: BucketEntry, message: EmailMessage, origin: Origin) -> ClaimRecord:
    return ClaimRecord(
        Status.CREATED,
        origin.reference,
        replay_of=origin.replay_of,
        life=found.revision + 1 if found.record else 0,
        **message.fingerprint._asdict(),
    )


def _replayed(record: ClaimRecord, origin: Origin) -> bool:
    """The delivery that the uuid waits for became a dead letter on its way into our keeping: this one takes its place."""
    return origin.replay_of is not None and record.replay_of != origin.replay_of


def _seconds_until_due(message: EmailMessage) -> float:
    assert message.scheduled_at is not None  # noqa: S101 - or it would not be scheduled
    return max(0.0, message.scheduled_at.timestamp() - time.time())
