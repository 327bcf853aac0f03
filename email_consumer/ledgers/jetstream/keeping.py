"""Mail that waits in the sidecar's tables, as a worker hands it over: a record in the claims bucket, then the mail itself."""

import asyncio
from collections.abc import Awaitable, Callable

from email_consumer.core.ledger import Origin, Refused, ScheduleAnswer, TooLargeToKeepError
from email_consumer.core.outcome import Busy, Duplicate, Scheduled, Stopped
from email_consumer.jetstream.publisher import Publisher
from email_consumer.jetstream.stored_lately import StoredLately
from email_consumer.ledgers.jetstream.bucket import ClaimBucket
from email_consumer.ledgers.jetstream.clock import ServerClock
from email_consumer.ledgers.jetstream.record import BucketEntry, doubted, takes_over, waiting
from email_consumer.ledgers.jetstream.scheduling import LONGEST_HOLD, publish_scheduled, seconds_until_due
from email_consumer.ledgers.rule import NO_TAKEOVER, Decision, Granted, Takeover
from email_consumer.message.model import EmailMessage

Rule = Callable[[BucketEntry, EmailMessage, Origin, float, Takeover], Decision | Stopped]
Refuse = Callable[[Refused, BucketEntry, EmailMessage, Origin], Awaitable[Refused]]


class Keeping:
    def __init__(
        self,
        publisher: Publisher,
        stored: StoredLately,
        bucket: ClaimBucket,
        clock: ServerClock,
        *,
        stream: str,
        takeover: Takeover,
        rule: Rule,
        refuse: Refuse,
        check_patience: Callable[[float], None],
    ) -> None:
        """Create it for one mail stream.

        Args:
            publisher: connected.
            stored: gets what was handed over.
            bucket: of claims.
            clock: of the bucket's server.
            stream: the mail stream.
            takeover: mail that a previous ledger may have sent.
            rule: decides on a claim of the entry's mail.
            refuse: answers what is not granted.
            check_patience: raises once a time (event-loop clock) is over.
        """
        self._publisher = publisher
        self._stored = stored
        self._bucket = bucket
        self._clock = clock
        self._stream = stream
        self._takeover = takeover
        self._rule = rule
        self._refuse = refuse
        self._check_patience = check_patience

    async def keep(
        self, message: EmailMessage, origin: Origin, held_by: str | None, *, patience: float
    ) -> ScheduleAnswer:
        """See `Ledger.schedule`; `patience` in seconds."""
        found, until = BucketEntry(), asyncio.get_running_loop().time() + patience
        takeover = self._takeover if held_by else NO_TAKEOVER  # mail that is due later was not sent before
        while True:
            now = await self._clock.now(until) if found.record else 0.0
            decision = self._rule(found, message, origin, now, takeover)
            if not isinstance(decision, Granted):
                return await self._refuse(decision, found, message, origin)
            known = found.record
            if decision.doubtful:
                record, waits = doubted(found, message, self._takeover.since), None
            elif known and known.readable and not known.final and not takes_over(known, origin):
                break
            else:
                record = waiting(found, message, origin)
                waits = LONGEST_HOLD if held_by else seconds_until_due(message)
            revision = await self._bucket.write(message.tag, record, found.revision, waits=waits)
            found = BucketEntry(record, revision, now) if revision else await self._bucket.read(message.tag, until)
            self._check_patience(until)
        return await self._hand_over(message, origin, found, held_by)

    async def _hand_over(
        self, message: EmailMessage, origin: Origin, found: BucketEntry, held_by: str | None
    ) -> ScheduleAnswer:
        record = found.record
        assert record is not None  # noqa: S101 - just written or read
        if not held_by and not record.kept:  # due by an earlier clock, then tried: its source has the only copy
            return Busy()
        if not held_by and record.claim != origin.reference:  # another delivery of it
            return Duplicate()
        # Also if the record stems from an earlier delivery of this mail, whose worker may have died before publishing it.
        try:
            await publish_scheduled(
                self._publisher, self._stream, message, origin, life=record.life, held_by=held_by, stored=self._stored
            )
        except TooLargeToKeepError:
            if not held_by:
                await self._bucket.forget(message.tag, found.revision)
            raise
        return Scheduled()
