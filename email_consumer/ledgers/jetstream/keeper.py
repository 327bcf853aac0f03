"""The sidecar's maintenance of the claims bucket: creates it at the first start, and refills it whenever it was lost.

Only the sidecar does this, since only its tables know the content. In this order: it closes the bucket, so that nothing is
claimed; lists unsettled mail; waits until the tables contain all outcomes published so far; creates records from both;
marks the bucket as complete, and opens it.
"""

import asyncio
import math
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from email_consumer.core.ledger import LedgerBlockedError
from email_consumer.core.mail_queue import Delivered
from email_consumer.jetstream.publisher import LostAckError, Publisher, RefusedError
from email_consumer.ledgers.jetstream.bucket import ClaimBucket, ClaimsLostError
from email_consumer.ledgers.jetstream.claims_stream import BucketState, ClaimsStream
from email_consumer.ledgers.jetstream.clock import ServerClock
from email_consumer.ledgers.jetstream.record import BucketEntry
from email_consumer.ledgers.jetstream.refill import Kept, MailConsumers, late, records
from email_consumer.ledgers.jetstream.rolled_back import RolledBack
from email_consumer.ledgers.jetstream.statements import HIGHEST_REVISION
from email_consumer.ledgers.jetstream.streams import LedgerStreamError, taken
from email_consumer.ledgers.jetstream.takeover import renew_takeover
from email_consumer.ledgers.rule import Policy
from email_consumer.store.database import Database
from email_consumer.store.key_values import read_value, write_value

_INTERVAL = 1.0
"""Seconds between two checks."""
_AT_ONCE = 200
_PATIENCE = 30.0
"""Seconds without progress of the projection after which the refill continues without the remaining outcomes."""
_PAUSE = 0.05
_KEY = "claims"
_PASSING = (NatsError, TimeoutError, LostAckError, RefusedError, LedgerBlockedError)
_REFILLS = "the claims bucket was lost; it is being refilled"

_log = structlog.get_logger(__name__)


class ClaimsKeeper:
    """`make` the bucket, `prepare` it once, then `run`."""

    def __init__(
        self,
        publisher: Publisher,
        database: Database,
        mails: MailConsumers,
        policy: Policy,
        *,
        replicas: int,
        delivered: Callable[[], Awaitable[Delivered]],
    ) -> None:
        """`delivered` returns what the mail consumers have delivered."""
        self._publisher = publisher
        self._database = database
        self._mails = mails
        self._policy = policy
        self._replicas = replicas
        self._delivered = delivered
        self._claims = ClaimsStream(publisher.client, mails.stream)
        ttl = policy.idempotency_ttl
        self._bucket = ClaimBucket(publisher, stream=mails.stream, idempotency_ttl=ttl)
        self._refill = ClaimBucket(publisher, stream=mails.stream, idempotency_ttl=ttl, refilling=True)
        self._clock = ServerClock(publisher, self._claims.names.bucket_stream)
        self._rolled_back = RolledBack(self._bucket, publisher.client.stats, ttl)
        self._late_before: float = math.inf
        """Outcomes with a smaller revision belong to a lost bucket and were published too late for its refill."""
        self._reason = _REFILLS

    async def make(self) -> None:
        """Create the bucket if it is missing. It accepts claims once `run` has filled it.

        Raises:
            LedgerStreamError: this server does not support it.
            nats.errors.Error: JetStream did not answer; try again.
        """
        if not (await self._claims.state()).exists:
            await self._create()

    async def prepare(self) -> None:
        """Adopt an existing bucket. Call this as the only sidecar, before consuming outcomes.

        Raises:
            nats.errors.Error: JetStream did not answer; try again.
        """
        found = await self._claims.state()
        if found.is_open and not found.marked_at and not await self._known():  # created by the previous version
            await self._claims.mark(refilled=False)
            _log.info("claims.adopted")
            found = await self._claims.state()
        if found.whole and not await self._lacks_revisions(found):  # or `run` makes it again
            await self._claims.secure()
            await self._remember()
            self._trust(found)

    async def run(self) -> None:
        """Check the bucket regularly, and refill it if necessary, until cancelled."""
        complained = False
        while True:
            try:
                await self.refresh()
            except (*_PASSING, LedgerStreamError, sqlite3.OperationalError) as error:
                if not complained and self._reason:
                    _log.warning("claims.not_refilled", error=str(error) or repr(error), hint="retried automatically")
                complained = True
            else:
                complained = False
            await asyncio.sleep(_INTERVAL)

    async def refresh(self) -> None:
        """Check the bucket once, and refill it if it was lost.

        Raises:
            LedgerStreamError, nats.errors.Error, TimeoutError, LostAckError, RefusedError, LedgerBlockedError: not yet.
            sqlite3.OperationalError: the database accepts no writes at present.
        """
        found = await self._claims.state()
        rolled_back = found.whole and (
            await self._rolled_back.noticed() or (self._reason and await self._lacks_revisions(found))
        )
        if found.whole and not rolled_back:
            self._trust(found)
            return
        self._late_before, self._reason = math.inf, _REFILLS
        if rolled_back:
            await self._claims.delete()
            found = BucketState()
        if known := await self._known():
            what = "it is gone" if not found.exists else "it was emptied, or created by somebody else"
            what = "the server was killed, and lost its newest records" if rolled_back else what
            if found.is_open or not found.exists:
                _log.error("claims.lost", reason=what, hint="it is refilled from the tables")
        if not found.exists:
            await self._create()
        elif found.is_open:
            await self._claims.close()
        if not found.marked_at:
            count = await self._fill()
            await self._claims.mark(refilled=True)
            _log.info("claims.filled", records=count, again=known)
        await self._remember()
        await self._claims.open()
        self._trust(await self._claims.state())

    async def check(self) -> None:
        """Raise while the bucket accepts no claims."""
        if self._reason:
            raise ConnectionError(self._reason)

    async def take(self, entries: Sequence[dict[str, Any]]) -> None:
        """Add outcomes to the bucket that are in the tables by now but came too late for the refill."""
        self._rolled_back.add(entries)
        for entry in entries:
            if entry["revision"] < self._late_before and not entry["conflict"]:
                await self._restore(entry)

    def expect(self, tag: str, revision: int) -> None:
        """A record that was written because of an event: the tables show the mail as sent, too."""
        self._rolled_back.expect(tag, revision)

    def _trust(self, found: BucketState) -> None:
        self._late_before = found.marked_at if found.refilled else 0
        self._reason = ""

    async def _known(self) -> bool:
        return await read_value(self._database, _KEY) is not None

    async def _remember(self) -> None:
        await write_value(self._database, _KEY, "marked")

    async def _lacks_revisions(self, found: BucketState) -> bool:
        ((highest,),) = await self._database.fetch(HIGHEST_REVISION)
        return bool(found.last < highest)

    async def _create(self) -> None:
        self._rolled_back.forget()
        ((highest,),) = await self._database.fetch(HIGHEST_REVISION)
        await self._claims.create(replicas=self._replicas, above=highest)

    async def _fill(self) -> int:
        """Fill the bucket; returns the number of records."""
        await self._claims.begin()
        await renew_takeover(self._publisher.client, self._mails.stream, self._mails.consumer, await self._delivered())
        unsettled = await self._mails.unsettled()
        for name in (self._claims.names.outcomes, self._claims.names.scheduled):
            await self._until_taken(name)
        count, group = 0, list[Kept]()
        async for kept in records(self._database, unsettled, self._policy, now=await self._clock.now()):
            group.append(kept)
            if len(group) == _AT_ONCE:
                await asyncio.gather(*map(self._put, group))
                count, group = count + len(group), []
        await asyncio.gather(*map(self._put, group))
        return count + len(group)

    async def _put(self, kept: Kept) -> None:
        """Write the record unless the key exists, because of a worker or an outcome published meanwhile."""
        found = BucketEntry()
        while found.record is None and not await self._refill.write(
            kept.tag, kept.record, found.revision, waits=kept.waits
        ):
            found = await self._refill.read(kept.tag)

    async def _until_taken(self, name: str) -> None:
        """Wait until the tables contain everything that is in the stream now."""
        end: int | None = None
        before, moved_at = -1, time.monotonic()
        while True:
            try:
                done, last = await taken(self._publisher.client, name)
            except NotFoundError:  # the stream was lost as well
                return
            end = last if end is None else min(end, last)
            if done >= end:
                return
            if done > before:
                before, moved_at = done, time.monotonic()
            elif time.monotonic() - moved_at > _PATIENCE:
                _log.warning("claims.outcomes_left", stream=name, left=end - done, hint="they are added later")
                return
            await asyncio.sleep(_PAUSE)

    async def _restore(self, entry: dict[str, Any]) -> None:
        while True:
            bucket = self._refill if self._reason else self._bucket
            try:
                found = await bucket.read(entry["tag"] or entry["uuid"])
                kept = late(found, entry, self._policy.idempotency_ttl, before=self._late_before)
                if kept is None or await bucket.write(kept.tag, kept.record, found.revision, waits=kept.waits):
                    return
            except ClaimsLostError:
                await asyncio.sleep(_PAUSE)
