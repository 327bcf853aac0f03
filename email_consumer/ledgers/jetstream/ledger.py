"""The ledger on JetStream, for many workers: a record per uuid in a KV bucket, written by compare-and-set.

A worker that creates the record, or replaces exactly the one it read, holds the claim. A claim without an outcome is in
doubt once its lease has expired by the server's clock, which also recorded when it was stored. The worker itself acts only
in the first half of the lease, measured by its own clock from before the write.
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
)
from email_consumer.core.outcome import Conflict, Duplicate, InDoubt, Outcome, Sent, Stopped
from email_consumer.jetstream.publisher import Publisher
from email_consumer.jetstream.stored_lately import StoredLately
from email_consumer.ledgers.jetstream.bucket import ClaimBucket, ClaimsLostError
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.clock import ServerClock
from email_consumer.ledgers.jetstream.guard import ClaimsGuard
from email_consumer.ledgers.jetstream.keeping import Keeping
from email_consumer.ledgers.jetstream.mail_state import encode_state
from email_consumer.ledgers.jetstream.outcomes import OutcomePublisher
from email_consumer.ledgers.jetstream.record import BucketEntry, claimed, doubted
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.rule import (
    LEASE,
    MAYBE_SENT_BEFORE,
    NO_TAKEOVER,
    PATIENCE,
    Decision,
    Granted,
    Policy,
    Step,
    Stopper,
    Takeover,
    decide,
    duplicate_or_conflict,
    unless_stopped,
)
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.message.model import EmailMessage
from email_consumer.runtime.clock import elapsed
from email_consumer.runtime.supervisor import Service, supervised

_CACHED_UUIDS = 50_000
"""About 11 MB. An older duplicate costs a lookup over the network."""
_PAUSE = 0.25


class JetStreamLedger:
    """See `email_consumer.core.ledger.Ledger`. While NATS is unavailable or accepts nothing, claims wait for a while.

    While the claims bucket is lost, claims wait as well. Mail claimed earlier is finished: its outcome goes to the sidecar,
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
        keep_subjects: bool = True,
        valid_until: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Create a ledger that is used while its `running` block lasts.

        Args:
            publisher: connected.
            stopper: whether cancellations or the suppression list stop a mail.
            policy: of the claim rule.
            stream: the mail stream.
            takeover: mail that a previous ledger may have sent.
            guard: watches the claims bucket.
            lease: seconds a claim lasts, the same for all workers.
            patience: seconds a mail waits for JetStream before its claim, and again after its outcome is recorded.
            keep_subjects: whether rows contain the mails' subjects.
            valid_until: time by `elapsed` until which our share of the rate is certain; no claim extends
                beyond it.
        """
        self._stopper = stopper
        self._policy = policy
        self._stream = stream
        self._takeover = takeover or NO_TAKEOVER
        self._lease = lease
        self._valid_until = valid_until
        self._publisher = publisher
        self._bucket = ClaimBucket(publisher, stream=stream, idempotency_ttl=policy.idempotency_ttl)
        self._clock = ServerClock(publisher, Names(stream).bucket_stream)
        self._guard = guard or ClaimsGuard(ClaimsStream(publisher.client, stream))
        self._patience = patience
        self._keep_subjects = keep_subjects
        self._stored = StoredLately(publisher)
        self._outcomes = OutcomePublisher(publisher, Names(stream).outcomes, patience, self._stored)
        self._keeping = Keeping(
            publisher,
            self._stored,
            self._bucket,
            self._clock,
            stream=stream,
            takeover=self._takeover,
            rule=self._rule,
            refuse=self._refuse,
            check_patience=self._check_patience,
        )
        self._finished: TTLCache[str, Fingerprint] = TTLCache(
            _CACHED_UUIDS, policy.idempotency_ttl, timer=time.monotonic
        )
        self.worker = uuid4().hex
        """Prefix of the names of our claims."""
        self._numbers = count(1)
        self._held: dict[str, BucketEntry] = {}
        """Our claims between `claim` and `finish`, at most one per unsettled delivery."""
        self._unsure: TTLCache[str, tuple[str, float]] = TTLCache(_CACHED_UUIDS, lease, timer=time.monotonic)
        """By uuid: name and start of claims that may have been stored after their caller stopped waiting."""
        self._events_since = time.time()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publish outcomes and watch the bucket until the block ends."""
        async with supervised(
            Service("outcome feed", self._outcomes.run),
            Service("claims guard", self._guard.run),
            Service("stored lately", self._stored.run),
        ):
            yield

    def events_expected_from(self, moment: float) -> None:
        """Events from SES reach us since `moment` (server's clock, Unix seconds): no grace period begins earlier."""
        self._events_since = moment

    def known(self, message: EmailMessage) -> Duplicate | Conflict | None:
        finished = self._finished.get(message.uuid)
        return duplicate_or_conflict(finished, message.fingerprint) if finished else None

    async def claim(self, message: EmailMessage, origin: Origin) -> ClaimAnswer:
        if self._outcomes.blocked:  # an outcome could not be published
            raise LedgerBlockedError(self._outcomes.blocked)
        now = elapsed()
        name, began = self._unsure.pop(message.uuid, ("", 0.0))
        if not name:
            name, began = f"{self.worker}-{next(self._numbers)}", now
        while True:
            try:
                return await self._claim(message, origin, name, began, until=self._loop_time() + self._patience)
            except ClaimsLostError:
                # Returned now, it would be a redelivery after the refill, which somebody else may have sent.
                if not await self._guard.whole():
                    raise
            except LedgerBlockedError:
                self._unsure[message.uuid] = name, began
                raise

    async def _claim(
        self, message: EmailMessage, origin: Origin, name: str, began: float, *, until: float
    ) -> ClaimAnswer:
        found = BucketEntry()  # most uuids are new, so only a conflict costs a read
        while True:
            tried = elapsed()
            now = await self._clock.now(until) if found.record else 0.0  # no ages to compare for an unknown uuid
            decision = self._decide(found, message, origin, now)
            match decision:
                case Granted(doubtful=True):
                    decision = MAYBE_SENT_BEFORE
                    record = doubted(found, message, self._takeover.since)
                case Granted():
                    record = claimed(found, decision, name, message, origin)
                case InDoubt() if found.record and not found.record.in_doubt:
                    record = found.doubted()
                case _:
                    return await self._refuse(decision, found, message, origin)
            if revision := await self._bucket.write(message.tag, record, found.revision):
                before, found = found, BucketEntry(record, revision)
                if isinstance(decision, InDoubt):
                    return await self._refuse(decision, found, message, origin)
                return self._hold(message, found.renewing(before), tried)
            before, found = found, await self._bucket.read(message.tag, until)
            if found.held_by(name):  # it was stored, but the acknowledgement was lost
                return self._hold(message, found.renewing(before), began)
            self._check_patience(until)

    async def finish(self, message: EmailMessage, outcome: Outcome, origin: Origin) -> None:
        if isinstance(outcome, Conflict):
            await self._record_conflict(message, outcome, origin)
            return
        now = await self._time_of(outcome)
        held = self._held.pop(message.uuid, None)
        found = held or BucketEntry()  # as with claims, only a conflict costs a read
        published = False
        while True:
            record = found.finished(held, message.fingerprint, outcome, now, origin.reference, kept=origin.kept)
            if record is None:  # somebody else recorded the final outcome
                break
            try:
                revision = await self._bucket.write(message.tag, record, found.revision)
                found = BucketEntry(record, revision) if revision else await self._bucket.read(message.tag)
            except ClaimsLostError:
                if held and await self._publish_instead(message, origin, BucketEntry(record, held.revision)):
                    published = True
                    break
                if not await self._guard.whole():
                    await asyncio.sleep(_PAUSE)
                found = held or BucketEntry()
            if found.record == record:
                break
        if not published and (record or (found.record and found.record.final)):
            await self._publish(message, origin, found)
        if isinstance(outcome, Sent):
            self._finished[message.uuid] = message.fingerprint

    async def schedule(self, message: EmailMessage, origin: Origin, held_by: str | None = None) -> ScheduleAnswer:
        return await self._keeping.keep(message, origin, held_by, patience=self._patience)

    def _decide(self, found: BucketEntry, message: EmailMessage, origin: Origin, now: float) -> Decision | Stopped:
        if origin.received == 1 and found.held_by(origin.reference):
            # The bucket was lost while this very delivery was being handled, by us; and nobody had it before.
            return self._stopper(message, origin) or Granted(Step.RECLAIM, found.record.attempts if found.record else 0)
        return self._rule(found, message, origin, now, self._takeover)

    def _rule(
        self, found: BucketEntry, message: EmailMessage, origin: Origin, now: float, takeover: Takeover
    ) -> Decision | Stopped:
        known, since = found.known(self._lease, now), self._events_since
        decision = decide(known, message, origin, self._policy, now=now, events_since=since, takeover=takeover)
        return unless_stopped(decision, self._stopper(message, origin))

    def _hold(self, message: EmailMessage, found: BucketEntry, since: float) -> Claim:
        assert found.record is not None  # noqa: S101
        self._held[message.uuid] = found
        return Claim(found.record.attempts + 1, min(since + self._lease / 2, self._valid_until()))

    async def _refuse(self, answer: Refused, found: BucketEntry, message: EmailMessage, origin: Origin) -> Refused:
        # The process that wrote the record may have died before publishing the outcome. Not being a redelivery proves
        # nothing: a consumer that was deleted and recreated counts its deliveries from 1.
        if found.record and isinstance(answer, (Duplicate, InDoubt)):
            await self._publish(message, origin, found)
        return answer

    async def _record_conflict(self, message: EmailMessage, conflict: Conflict, origin: Origin) -> None:
        """Add it to the history of the mail that the uuid belongs to, whose state does not change."""
        try:
            found = await self._bucket.read(message.tag)
        except ClaimsLostError:
            return
        if found.record:
            await self._publish(message, origin, found, conflict=conflict.reason)

    async def _time_of(self, outcome: Outcome) -> float:
        """A doubt is timed by the server's clock, since its grace period depends on it; other outcomes only display their time."""
        if isinstance(outcome, InDoubt):
            with suppress(ClaimsLostError):
                return await self._clock.now()
        return time.time()

    async def _publish(
        self, message: EmailMessage, origin: Origin, found: BucketEntry, *, conflict: str | None = None
    ) -> None:
        state = encode_state(message, origin, found, time.time(), keep_subject=self._keep_subjects, conflict=conflict)
        await self._outcomes.submit(state)

    async def _publish_instead(self, message: EmailMessage, origin: Origin, found: BucketEntry) -> bool:
        """Publish the outcome although the bucket is lost: the sidecar refills it from the outcomes."""
        try:
            await self._publish(message, origin, found)
        except LedgerBlockedError:
            return False
        return True

    def _check_patience(self, until: float) -> None:
        if self._loop_time() > until:
            raise LedgerBlockedError(
                f"claims can't be stored: {self._bucket.blocked() or 'others claim the same uuid'}"
            )

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()
