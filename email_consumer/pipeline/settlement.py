"""The one place that acks, naks or terminates a delivery, after its outcome is durable."""

import asyncio
import random
from collections.abc import Coroutine
from time import monotonic
from typing import assert_never

import structlog
from cachetools import LRUCache

from email_consumer.core.burial import LONGEST_PAUSE, Burial, DeadLetters
from email_consumer.core.delivery import Delivery
from email_consumer.core.ledger import Ledger, LedgerBlockedError, Origin
from email_consumer.core.mail_queue import DeadLetterKind
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Busy,
    Conflict,
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
    Throttled,
    Unburied,
    Undecodable,
)
from email_consumer.core.unsent import DUPLICATE, Unsent
from email_consumer.message.model import EmailMessage
from email_consumer.runtime.throttle import Throttle

BUSY_DELAY = 5.0
"""Seconds until a uuid that is in hand elsewhere is looked at again."""
_LONGEST_THROTTLE = 5.0
_LONGEST_RETRY = 600.0
_TELLING = 30.0
"""Seconds that telling the source may take."""
_FIRST_BURIAL_PAUSE = 5.0
_REMEMBERED = 10_000
"""Mails without a dead letter; what becomes of one more is asked of the ledger, when it's its turn to be sent."""

_COPY_NOTED_EVERY = 60.0
"""Seconds between two lines about one address: it may be in the copy of every mail."""

_KINDS = {
    Rejected: DeadLetterKind.REJECTED,
    Exhausted: DeadLetterKind.EXHAUSTED,
    Conflict: DeadLetterKind.CONFLICT,
    Parked: DeadLetterKind.IN_DOUBT,
}

_log = structlog.get_logger(__name__)


class Settlement:
    """Dead letter stored, then outcome recorded, then settled: a crash in between loses nothing."""

    def __init__(
        self,
        ledger: Ledger,
        dead_letters: DeadLetters,
        metrics: Metrics,
        retry_delay: float,
        burial: Burial | None = None,
    ) -> None:
        """`retry_delay` in seconds, after the first transient failure."""
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._burial = burial or Burial()
        self._unburied: LRUCache[tuple[str, float], Unburied] = LRUCache(_REMEMBERED)
        """By reference and time: a stream that is made anew gives the same references to others."""
        self._metrics = metrics
        self._retry_delay = retry_delay
        self._unsent = Unsent(metrics)
        self._copies = Throttle(_COPY_NOTED_EVERY)

    async def discard(self, delivery: Delivery, outcome: Undecodable) -> None:
        """Settle poison: it has no uuid that could be recorded."""
        if not await self._bury(delivery, DeadLetterKind.UNDECODABLE, outcome.reason, 0):
            await self._leave(delivery)
            return
        self._metrics.outcomes[Undecodable] += 1
        self._unsent.count(DeadLetterKind.UNDECODABLE)
        await self._tell(delivery.term())

    def unburied(self, delivery: Delivery) -> Unburied | None:
        """What is known of a mail that was given up when it was delivered before, and is not to be sent again.

        None means: ask the ledger. It knows, but only once the mail has had its turn, which it would take from others.
        """
        return self._unburied.get((delivery.reference, delivery.stored_at))

    async def settle(
        self, delivery: Delivery, message: EmailMessage, outcome: Outcome, origin: Origin, attempt: int
    ) -> None:
        """`attempt` is the number of the attempt that was made or claimed, 0 if there was none."""
        if isinstance(outcome, (Rejected, Exhausted, Parked, Conflict, Unburied)):
            verdict, attempts = (
                (outcome.verdict, outcome.attempts) if isinstance(outcome, Unburied) else (outcome, attempt)
            )
            if not await self._bury(delivery, _KINDS[type(verdict)], verdict.reason, attempts):
                await self._keep_unburied(delivery, message, outcome, origin, attempt)
                return
            self._unburied.pop((delivery.reference, delivery.stored_at), None)
            outcome = verdict
        leaves_trace = attempt or isinstance(outcome, (Stopped, Rejected, Exhausted, Parked, Conflict))
        if leaves_trace and not await self._finish(message, outcome, origin):
            self._count(message, outcome)
            await self._tell(delivery.nak(BUSY_DELAY))
            return
        self._count(message, outcome)
        self._tell_unsent(delivery, message, outcome)
        if isinstance(outcome, (Failed, Throttled, Held)):
            self._metrics.last_nak_reason = outcome.reason
        match outcome:
            case Sent() | Duplicate() | Scheduled() | Stopped():
                await self._tell(delivery.ack())
            case Failed():
                await self._tell(delivery.nak(self._backoff(attempt)))
            case Throttled() | Held() | Interrupted():
                self._metrics.last_systemic_nak_at = monotonic()
                await self._tell(delivery.nak(_doubling(1.0, delivery.received, _LONGEST_THROTTLE)))
            case Busy() | InDoubt() | Unburied():
                await self._tell(delivery.nak(BUSY_DELAY))
            case Rejected() | Exhausted() | Parked() | Conflict() | Undecodable():
                await self._tell(delivery.term())
            case _:
                assert_never(outcome)

    def _count(self, message: EmailMessage, outcome: Outcome) -> None:
        self._metrics.outcomes[type(outcome)] += 1
        if isinstance(outcome, Sent):
            self._metrics.recipients_sent += message.recipients - len(outcome.left_out)
            for copy in outcome.left_out:
                self._note(message, copy)
        elif isinstance(outcome, Duplicate):
            self._metrics.duplicates_changed += outcome.changed

    def _tell_unsent(self, delivery: Delivery, message: EmailMessage, outcome: Outcome) -> None:
        match outcome:
            case Duplicate(changed):
                self._unsent.record(message.uuid, DUPLICATE, changed=changed)
            case Stopped(reason, detail):
                self._unsent.record(message.uuid, reason, detail=detail)
            case Rejected() | Exhausted() | Parked() | Conflict():
                self._unsent.count(_KINDS[type(outcome)])
        if isinstance(outcome, Conflict):
            _log.warning(
                "mail.conflict",
                uuid=message.uuid,
                reference=delivery.reference,
                reason=outcome.reason,
                hint="each mail needs its own UUID; `email-consumer dlq replay --new-uuid` sends this one",
            )

    def _note(self, message: EmailMessage, copy: LeftOut) -> None:
        self._metrics.copies_left_out += 1
        held_back = self._copies.admit(copy.address)
        if held_back is not None:
            _log.warning(
                "mail.copy_left_out",
                uuid=message.uuid,
                address=copy.address,
                reason=copy.reason,
                unlogged=held_back,
                hint="the mail went to its other recipients; free the address by `email-consumer suppressions remove`",
            )

    def _backoff(self, attempt: int) -> float:
        delay = _doubling(self._retry_delay, attempt, _LONGEST_RETRY)
        return delay * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret

    async def _keep_unburied(
        self,
        delivery: Delivery,
        message: EmailMessage,
        outcome: Rejected | Exhausted | Parked | Conflict | Unburied,
        origin: Origin,
        attempt: int,
    ) -> None:
        """Recorded as failed it would be taken for a duplicate when it comes again, and dropped."""
        if attempt and isinstance(outcome, (Rejected, Exhausted)):
            outcome = Unburied(outcome, attempt)
            await self._finish(message, outcome, origin)
        if isinstance(outcome, Unburied):
            self._unburied[delivery.reference, delivery.stored_at] = outcome
        await self._leave(delivery)

    async def _finish(self, message: EmailMessage, outcome: Outcome, origin: Origin) -> bool:
        """False: it has to come again."""
        try:
            await self._ledger.finish(message, outcome, origin)
        except LedgerBlockedError as error:
            self._metrics.last_nak_reason = str(error)
            return False
        return True

    async def _bury(self, delivery: Delivery, kind: str, reason: str, attempts: int) -> bool:
        return await self._burial.bury(self._dead_letters, delivery, kind, reason, attempts)

    async def _leave(self, delivery: Delivery) -> None:
        """The source has the only copy, and delivers it again."""
        self._metrics.outcomes[Unburied] += 1
        pause = _doubling(_FIRST_BURIAL_PAUSE, delivery.received, LONGEST_PAUSE)
        await self._tell(delivery.nak(pause * random.uniform(0.8, 1.0)))  # noqa: S311 - jitter, not a secret

    @staticmethod
    async def _tell(telling: Coroutine[object, object, None]) -> None:
        # An answer that gets lost makes the source deliver again, and the ledger then says what became of it.
        try:
            async with asyncio.timeout(_TELLING):
                await telling
        except Exception as error:  # noqa: BLE001
            _log.warning("delivery.not_settled", error=str(error) or f"no answer for {_TELLING:g} s")


def _doubling(first: float, count: int, longest: float) -> float:
    return min(first * 2.0 ** min(count - 1, 30), longest)
