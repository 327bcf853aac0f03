"""The one place that acks, naks or terminates a delivery, after its outcome is durable."""

import asyncio
import random
from collections.abc import Coroutine
from time import monotonic
from typing import Protocol, assert_never

import structlog

from email_consumer.claim import Ledger, Origin
from email_consumer.delivery import Delivery, Original
from email_consumer.mail_queue import DeadLetterKind
from email_consumer.message import EmailMessage
from email_consumer.meters import Meters
from email_consumer.outcome import (
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
    Undecodable,
)
from email_consumer.throttle import Throttle
from email_consumer.unsent import DUPLICATE, Unsent

BUSY_DELAY = 5.0
"""Seconds until a uuid that is in hand elsewhere is looked at again."""
_LONGEST_THROTTLE = 5.0
_LONGEST_RETRY = 600.0
_RETRY_PAUSE = 1.0
_REFUSED_DELAY = 600.0
"""Seconds until a mail is looked at again whose dead letter has no place."""

_COPY_NOTED_EVERY = 60.0
"""Seconds between two lines about one address: it may be in the copy of every mail."""

_KINDS = {
    Rejected: DeadLetterKind.REJECTED,
    Exhausted: DeadLetterKind.EXHAUSTED,
    Conflict: DeadLetterKind.CONFLICT,
    Parked: DeadLetterKind.IN_DOUBT,
}

_log = structlog.get_logger(__name__)


class DeadLetterRefusedError(Exception):
    """The dead letter is too large for its place; the text says what to raise."""


class DeadLetters(Protocol):
    """Where what can't be sent is kept."""

    async def store(self, original: Original, kind: str, reason: str, attempts: int) -> None:
        """Return once the copy is durable; storing the same original again makes no second copy.

        Raises:
            DeadLetterRefusedError: it never will be, as things are.
            Exception: not stored, or not known to be; try again.
        """


class Settlement:
    """Dead letter stored, then outcome recorded, then settled: a crash in between loses nothing."""

    def __init__(self, ledger: Ledger, dead_letters: DeadLetters, meters: Meters, retry_delay: float) -> None:
        """`retry_delay` in seconds, after the first transient failure."""
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._meters = meters
        self._retry_delay = retry_delay
        self._unsent = Unsent(meters)
        self._copies = Throttle(_COPY_NOTED_EVERY)

    async def discard(self, delivery: Delivery, outcome: Undecodable) -> None:
        """Settle poison: it has no uuid that could be recorded."""
        buried = await self._bury(delivery, DeadLetterKind.UNDECODABLE, outcome.reason, 0)
        self._meters.outcomes[Undecodable] += 1
        self._unsent.count(DeadLetterKind.UNDECODABLE, buried)
        await self._tell(delivery.term() if buried else delivery.nak(_REFUSED_DELAY))

    async def settle(
        self, delivery: Delivery, message: EmailMessage, outcome: Outcome, origin: Origin, attempt: int
    ) -> None:
        """`attempt` is the number of the attempt that was made or claimed, 0 if there was none."""
        if isinstance(outcome, (Rejected, Exhausted, Parked, Conflict)):
            buried = await self._bury(delivery, _KINDS[type(outcome)], outcome.reason, attempt)
            if not buried:
                await self._leave(delivery, message, outcome, origin, attempt)
                return
        if attempt or isinstance(outcome, (Stopped, Rejected, Parked, Conflict)):
            await self._ledger.finish(message, outcome, origin)
        self._count(message, outcome)
        self._tell_unsent(delivery, message, outcome)
        if isinstance(outcome, (Failed, Throttled, Held)):
            self._meters.setback = outcome.reason
        match outcome:
            case Sent() | Duplicate() | Scheduled() | Stopped():
                await self._tell(delivery.ack())
            case Failed():
                await self._tell(delivery.nak(self._backoff(attempt)))
            case Throttled() | Held() | Interrupted():
                self._meters.held_back_at = monotonic()
                await self._tell(delivery.nak(_doubling(1.0, delivery.received, _LONGEST_THROTTLE)))
            case Busy() | InDoubt():
                await self._tell(delivery.nak(BUSY_DELAY))
            case Rejected() | Exhausted() | Parked() | Conflict() | Undecodable():
                await self._tell(delivery.term())
            case _:
                assert_never(outcome)

    def _count(self, message: EmailMessage, outcome: Outcome) -> None:
        self._meters.outcomes[type(outcome)] += 1
        if isinstance(outcome, Sent):
            self._meters.recipients_sent += message.recipients - len(outcome.left_out)
            for copy in outcome.left_out:
                self._note(message, copy)
        elif isinstance(outcome, Duplicate):
            self._meters.duplicates_changed += outcome.changed

    def _tell_unsent(self, delivery: Delivery, message: EmailMessage, outcome: Outcome) -> None:
        match outcome:
            case Duplicate(changed):
                self._unsent.note(message.uuid, DUPLICATE, changed=changed)
            case Stopped(reason, detail):
                self._unsent.note(message.uuid, reason, detail=detail)
            case Rejected() | Exhausted() | Parked() | Conflict():
                self._unsent.count(_KINDS[type(outcome)])
        if isinstance(outcome, Conflict):
            _log.warning(
                "mail.conflict",
                uuid=message.uuid,
                reference=delivery.reference,
                reason=outcome.reason,
                hint="each mail needs a uuid of its own; `email-consumer dlq replay --new-uuid` sends this one",
            )

    def _note(self, message: EmailMessage, copy: LeftOut) -> None:
        self._meters.copies_left_out += 1
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

    async def _leave(
        self,
        delivery: Delivery,
        message: EmailMessage,
        outcome: Rejected | Exhausted | Parked | Conflict,
        origin: Origin,
        attempt: int,
    ) -> None:
        """The source has the only copy. Recorded as failed it would be taken for a duplicate there, and dropped."""
        if attempt:  # else it is not our claim, and stays what it is
            await self._ledger.finish(message, Held(f"no place for its dead letter: {outcome.reason}"), origin)
        self._count(message, outcome)
        await self._tell(delivery.nak(_REFUSED_DELAY))

    async def _bury(self, delivery: Delivery, kind: str, reason: str, attempts: int) -> bool:
        """False where it has no place."""
        while True:
            try:
                await self._dead_letters.store(delivery, kind, reason, attempts)
            except DeadLetterRefusedError as error:
                _log.error(
                    "dead_letter.refused",
                    reference=delivery.reference,
                    kind=kind,
                    reason=reason,
                    error=str(error),
                    hint="the mail stays where it came from, and is looked at again",
                    retry_in=_REFUSED_DELAY,
                )
                return False
            except Exception as error:  # noqa: BLE001 - whatever it is: the mail must not be dropped for it
                _log.warning(
                    "dead_letter.not_stored", reference=delivery.reference, error=str(error), retry_in=_RETRY_PAUSE
                )
                await asyncio.sleep(_RETRY_PAUSE)
            else:
                _log.warning(
                    "mail.dead_letter", reference=delivery.reference, kind=kind, reason=reason, attempts=attempts
                )
                return True

    @staticmethod
    async def _tell(telling: Coroutine[object, object, None]) -> None:
        # An answer that gets lost makes the source deliver again, and the ledger then says what became of it.
        try:
            await telling
        except Exception as error:  # noqa: BLE001
            _log.warning("delivery.not_settled", error=str(error))


def _doubling(first: float, count: int, longest: float) -> float:
    return min(first * 2.0 ** min(count - 1, 30), longest)
