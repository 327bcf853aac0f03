"""The only place that acks, naks or terminates deliveries, each one after its outcome is durable."""

import asyncio
import random
import time
from collections.abc import Awaitable
from typing import assert_never

import structlog
from cachetools import LRUCache

from email_consumer.core.dead_letter_writer import LONGEST_PAUSE, DeadLetterWriter
from email_consumer.core.dead_letters import DeadLetterKind, DeadLetterStore
from email_consumer.core.delivery import DONE, Delivery
from email_consumer.core.ledger import Ledger, LedgerBlockedError, Origin
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Busy,
    Conflict,
    DeadLetterPending,
    Duplicate,
    Exhausted,
    Failed,
    Held,
    InDoubt,
    Interrupted,
    LeftOut,
    Outcome,
    Parked,
    Rejected,
    Scheduled,
    Sent,
    Stopped,
    TenantRefused,
    Throttled,
    Undecodable,
)
from email_consumer.core.unsent import DUPLICATE, Unsent
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage
from email_consumer.runtime.backoff import backoff
from email_consumer.runtime.throttle import Throttle

BUSY_DELAY = 5.0
"""Seconds before retrying a message whose uuid is being handled elsewhere."""
_LONGEST_THROTTLE = 5.0
_LONGEST_RETRY = 600.0
_SOURCE_TIMEOUT = 30.0
"""Seconds that an ack, nak or term may take."""
_FIRST_PAUSE = 5.0
_REMEMBERED = 10_000
"""Messages whose dead letter is not stored yet; beyond this number the ledger has to be asked, once a message has its turn."""

_COPY_LOGGED_EVERY = 60.0
"""Seconds between two log lines about one address: it may be in cc of every mail."""
_TENANT_LOGGED_EVERY = 60.0
_TENANT_PAUSE = 10.0
_LONGEST_TENANT_PAUSE = 300.0

_KINDS = {
    Rejected: DeadLetterKind.REJECTED,
    Exhausted: DeadLetterKind.EXHAUSTED,
    Conflict: DeadLetterKind.CONFLICT,
    Parked: DeadLetterKind.IN_DOUBT,
}

_log = structlog.get_logger(__name__)


class Settlement:
    """Stores the dead letter, records the outcome, settles the delivery, in this order: a crash in between loses nothing."""

    def __init__(
        self,
        ledger: Ledger,
        dead_letters: DeadLetterStore,
        metrics: Metrics,
        retry_delay: float,
        dead_letter_writer: DeadLetterWriter | None = None,
    ) -> None:
        """`retry_delay`: seconds before the retry that follows the first transient failure."""
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._writer = dead_letter_writer or DeadLetterWriter()
        self._pending: LRUCache[tuple[str, float], DeadLetterPending] = LRUCache(_REMEMBERED)
        """By reference and time stored: a recreated stream assigns the same references again."""
        self._metrics = metrics
        self._retry_delay = retry_delay
        self._unsent = Unsent(metrics)
        self._copies = Throttle(_COPY_LOGGED_EVERY)
        self._tenants = Throttle(_TENANT_LOGGED_EVERY)

    async def discard(self, delivery: Delivery, outcome: Undecodable) -> None:
        """Settle a message that can't be decoded, and so has no uuid under which anything could be recorded."""
        if not await self._store_dead_letter(delivery, DeadLetterKind.UNDECODABLE, outcome.reason, 0):
            await self._send_back(delivery)
            return
        self._metrics.outcomes[Undecodable] += 1
        self._unsent.count(DeadLetterKind.UNDECODABLE)
        await self._notify_source(delivery.term())

    def dead_letter_pending(self, delivery: Delivery) -> DeadLetterPending | None:
        """The outcome of an earlier delivery of this message that was given up and must not be sent again; None if unknown.

        The ledger knows it, too, but is only asked once the message has its turn, which it would take from other mail.
        """
        return self._pending.get((delivery.reference, delivery.stored_at)) if self._pending else None

    async def settle(
        self, delivery: Delivery, message: EmailMessage, outcome: Outcome, origin: Origin, attempt: int
    ) -> None:
        """Record `outcome` and settle the delivery. `attempt`: number of the attempt that was made or claimed; 0 if none."""
        if isinstance(outcome, (Rejected, Exhausted, Parked, Conflict, DeadLetterPending)):
            verdict, attempts = (
                (outcome.verdict, outcome.attempts) if isinstance(outcome, DeadLetterPending) else (outcome, attempt)
            )
            if not await self._store_dead_letter(delivery, _KINDS[type(verdict)], verdict.reason, attempts):
                await self._retry_dead_letter(delivery, message, outcome, origin, attempt)
                return
            self._pending.pop((delivery.reference, delivery.stored_at), None)
            outcome = verdict
        in_ledger = attempt or isinstance(outcome, (Stopped, Rejected, Exhausted, Parked, Conflict))
        recorded = await self._record(message, outcome, origin) if in_ledger else True
        self._count(message, outcome)
        if not recorded:
            await self._notify_source(delivery.nak(BUSY_DELAY))
            return
        self._log_unsent(delivery, message, outcome)
        await self._settle(delivery, outcome, attempt)

    async def _settle(self, delivery: Delivery, outcome: Outcome, attempt: int) -> None:
        if isinstance(outcome, (Failed, Throttled, Held, TenantRefused)):
            self._metrics.last_nak_reason = outcome.reason
        match outcome:
            case Sent() | Duplicate() | Scheduled() | Stopped():
                settling = delivery.ack()
            case Failed():
                settling = delivery.nak(self._retry_pause(attempt))
            case Throttled() | Held() | Interrupted():
                self._metrics.last_systemic_nak_at = time.monotonic()
                settling = delivery.nak(backoff(1.0, delivery.received, _LONGEST_THROTTLE))
            case TenantRefused():
                pause = backoff(_TENANT_PAUSE, delivery.received, _LONGEST_TENANT_PAUSE)
                settling = delivery.nak(pause * random.uniform(0.8, 1.0))  # noqa: S311 - jitter, not a secret
            case Busy() | InDoubt() | DeadLetterPending():
                settling = delivery.nak(BUSY_DELAY)
            case Rejected() | Exhausted() | Parked() | Conflict() | Undecodable():
                settling = delivery.term()
            case _:
                assert_never(outcome)
        if settling is not DONE:
            await self._notify_source(settling)

    def _count(self, message: EmailMessage, outcome: Outcome) -> None:
        self._metrics.outcomes[type(outcome)] += 1
        if isinstance(outcome, Sent):
            lane, recipients = message.lane or Lane.BULK, message.recipients - len(outcome.left_out)
            self._metrics.sent_by_lane[lane] += 1
            if self._metrics.tally is not None:
                self._metrics.tally[message.topic_id, message.tenant, lane is Lane.BULK] += 1
            self._metrics.recipients_sent += recipients
            if lane is Lane.TRANSACTIONAL:
                self._metrics.transactional_recipients_sent += recipients
            for copy in outcome.left_out:
                self._log_left_out(message, copy)
        elif isinstance(outcome, Duplicate):
            self._metrics.duplicates_changed += outcome.changed

    def _log_unsent(self, delivery: Delivery, message: EmailMessage, outcome: Outcome) -> None:
        match outcome:
            case Duplicate(changed):
                self._unsent.record(message.uuid, DUPLICATE, changed=changed)
            case Stopped(reason, detail):
                self._unsent.record(message.uuid, reason, detail=detail)
            case Rejected() | Exhausted() | Parked() | Conflict():
                self._unsent.count(_KINDS[type(outcome)])
            case TenantRefused(tenant, reason):
                self._log_refused_tenant(tenant, reason)
        if isinstance(outcome, Conflict):
            _log.warning(
                "mail.conflict",
                uuid=message.uuid,
                reference=delivery.reference,
                reason=outcome.reason,
                hint="each mail needs its own UUID; `email-consumer dlq replay --new-uuid` sends this one",
            )

    def _log_left_out(self, message: EmailMessage, copy: LeftOut) -> None:
        self._metrics.copies_left_out += 1
        unlogged = self._copies.admit(copy.address)
        if unlogged is not None:
            _log.warning(
                "mail.copy_left_out",
                uuid=message.uuid,
                address=copy.address,
                reason=copy.reason,
                unlogged=unlogged,
                hint="the mail went to its other recipients; a suppressed address is freed by `email-consumer suppressions remove`",
            )

    def _log_refused_tenant(self, tenant: str, reason: str) -> None:
        if self._metrics.refused_tenants is not None:
            self._metrics.refused_tenants[tenant] = reason
        unlogged = self._tenants.admit(tenant)
        if unlogged is not None:
            hint = "its mail waits and nobody else's; `email-consumer doctor` says what the tenant lacks"
            _log.error("tenant.refused", tenant=tenant, reason=reason, unlogged=unlogged, hint=hint)

    def _retry_pause(self, attempt: int) -> float:
        delay = backoff(self._retry_delay, attempt, _LONGEST_RETRY)
        return delay * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret

    async def _retry_dead_letter(
        self,
        delivery: Delivery,
        message: EmailMessage,
        outcome: Rejected | Exhausted | Parked | Conflict | DeadLetterPending,
        origin: Origin,
        attempt: int,
    ) -> None:
        """Let the source redeliver it. If it were recorded as failed, the redelivery would be dropped as a duplicate."""
        if attempt and isinstance(outcome, (Rejected, Exhausted)):
            outcome = DeadLetterPending(outcome, attempt)
            await self._record(message, outcome, origin)
        if isinstance(outcome, DeadLetterPending):
            self._pending[delivery.reference, delivery.stored_at] = outcome
        await self._send_back(delivery)

    async def _record(self, message: EmailMessage, outcome: Outcome, origin: Origin) -> bool:
        """Record the outcome; False if the message has to be redelivered."""
        try:
            await self._ledger.finish(message, outcome, origin)
        except LedgerBlockedError as error:
            self._metrics.last_nak_reason = str(error)
            return False
        return True

    async def _store_dead_letter(self, delivery: Delivery, kind: str, reason: str, attempts: int) -> bool:
        return await self._writer.write(self._dead_letters, delivery, kind, reason, attempts)

    async def _send_back(self, delivery: Delivery) -> None:
        """Keep the only copy in the source, which redelivers it."""
        self._metrics.outcomes[DeadLetterPending] += 1
        pause = backoff(_FIRST_PAUSE, delivery.received, LONGEST_PAUSE)
        await self._notify_source(delivery.nak(pause * random.uniform(0.8, 1.0)))  # noqa: S311 - jitter, not a secret

    @staticmethod
    async def _notify_source(settling: Awaitable[None]) -> None:
        # If the signal gets lost, the source redelivers the message, and the ledger knows its outcome.
        try:
            async with asyncio.timeout(_SOURCE_TIMEOUT):
                await settling
        except Exception as error:  # noqa: BLE001
            _log.warning("delivery.not_settled", error=str(error) or f"no response within {_SOURCE_TIMEOUT:g} s")
