"""One delivery's life, top to bottom: decode, check, wait for its turn, claim, send, record, settle."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial
from typing import Protocol

import structlog

from email_consumer.core.careful_reader import CarefulReader, FatalDeliveryError, ReadingJournal
from email_consumer.core.delivery import REPLAY_OF, Delivery
from email_consumer.core.ledger import (
    WINDOW,
    Claim,
    ClaimAnswer,
    Ledger,
    LedgerBlockedError,
    NotKeptError,
    Origin,
    TooLargeToKeepError,
)
from email_consumer.core.mail_queue import ORIGIN, lane_of
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Busy,
    Exhausted,
    Failed,
    Held,
    InDoubt,
    Interrupted,
    Outcome,
    Rejected,
    SendResult,
    Sent,
    Stopped,
    StopReason,
    Undecodable,
)
from email_consumer.core.sender import Sender
from email_consumer.core.unknown_keys import UnknownKeys
from email_consumer.holds.keys import TURN
from email_consumer.message.keys import Reading
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, UndecodableError, decode
from email_consumer.message.times import from_unix
from email_consumer.pipeline.allowances import Allowances
from email_consumer.pipeline.fair_shares import FairShares
from email_consumer.pipeline.gate import Gate
from email_consumer.pipeline.pacer import Pacer
from email_consumer.pipeline.send_windows import SendWindows
from email_consumer.pipeline.settlement import Settlement

_log = structlog.get_logger(__name__)


_MAX_REPLAY_NAME = 500
"""Characters of a dead letter's name. Ours are shorter; anything else in the header must still fit into the ledger."""

Compose = Callable[[EmailMessage, Mapping[str, str]], EmailMessage]
"""Adds our links (open pixel, unsubscribe) to a mail, given the headers it was delivered with."""


Decoded = tuple[EmailMessage, set[str]]
"""The message, and its keys that mean nothing."""


class ResultObserver(Protocol):
    """Is notified of every result of SES, as the governor is."""

    def report(self, result: SendResult) -> None: ...


class Pipeline:
    """Turns each delivery into an outcome and has it settled. Many deliveries are handled concurrently on one event loop."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        gate: Gate,
        windows: SendWindows,
        pacer: Pacer,
        compose: Compose,
        sender: Sender,
        observers: tuple[ResultObserver, ...],
        settlement: Settlement,
        metrics: Metrics,
        max_attempts: int,
        zone: tzinfo,
        journal: ReadingJournal,
        shares: FairShares,
        allowances: Allowances,
    ) -> None:
        self._ledger = ledger
        self._gate = gate
        self._holds = gate.holds
        self._windows = windows
        self._pacer = pacer
        self._compose = compose
        self._sender = sender
        self._observers = observers
        self._settlement = settlement
        self._metrics = metrics
        self._shares = shares
        self._allowances = allowances
        self._max_attempts = max_attempts
        self._zone = zone
        self._reader = CarefulReader(self._decode, journal)
        self._unknown_keys = UnknownKeys(metrics)
        self._handled_uuids: set[str] = set()
        self._loop = asyncio.get_running_loop()

    async def handle(self, delivery: Delivery) -> None:
        """See one delivery through to its settlement; the entry point of the whole pipeline."""
        self._metrics.received += 1
        try:
            message, unknown = await self._read(delivery)
        except (UndecodableError, FatalDeliveryError) as error:
            await self._settlement.discard(delivery, Undecodable(str(error)))
            return
        if unknown:
            self._unknown_keys.record(unknown, delivery.source)
        origin = self._origin(delivery)
        if message.lane is None and lane_of(delivery.headers) is Lane.TRANSACTIONAL:
            message = message.model_copy(update={"lane": Lane.TRANSACTIONAL})
        if message.uuid in self._handled_uuids:
            await self._settle(delivery, message, Busy(), origin, attempt=0)
            return
        self._handled_uuids.add(message.uuid)
        try:
            pending = self._settlement.dead_letter_pending(delivery)
            outcome, attempt = (pending, 0) if pending else await self._deliver(message, origin, delivery.headers)
            if isinstance(outcome, Sent):
                waited = self._metrics.enqueue_to_ses[message.lane or Lane.BULK]
                waited.observe(max(0.0, time.time() - origin.stored_at))
            await self._settle(delivery, message, outcome, origin, attempt)
        finally:
            self._handled_uuids.discard(message.uuid)

    def _origin(self, delivery: Delivery) -> Origin:
        return Origin(
            delivery.source,
            delivery.reference,
            delivery.sequence,
            delivery.stored_at,
            delivery.received,
            delivery.headers.get(REPLAY_OF, "")[:_MAX_REPLAY_NAME] or None,
            delivery.stream,
            kept=ORIGIN in delivery.headers,
            lane=delivery.lane,
        )

    # The steps that take time, each a method so that `TracedPipeline` can measure it; `_take_turn` is one, too.

    def _read(self, delivery: Delivery) -> Awaitable[Decoded]:
        return self._reader.read(delivery)

    def _claim(self, message: EmailMessage, origin: Origin) -> Awaitable[ClaimAnswer]:
        return self._ledger.claim(message, origin)

    def _send(self, message: EmailMessage, deadline: float) -> Awaitable[SendResult | Interrupted]:
        return self._sender.send(message, deadline)

    def _settle(
        self, delivery: Delivery, message: EmailMessage, outcome: Outcome, origin: Origin, attempt: int
    ) -> Awaitable[None]:
        return self._settlement.settle(delivery, message, outcome, origin, attempt)

    def _decode(self, payload: bytes) -> Decoded:
        reading = Reading(self._zone)
        return decode(payload, reading), reading.unknown

    async def _deliver(self, message: EmailMessage, origin: Origin, headers: Mapping[str, str]) -> tuple[Outcome, int]:
        if not origin.replay_of and (known := self._ledger.known(message)):
            return known, 0
        if stopped := self._stopped(message, origin):
            return stopped, 0
        if message.scheduled_at and message.scheduled_at.timestamp() > time.time():
            return await self._schedule(message, origin), 0
        if self._may_wait(message) and (stored := await self._put_aside(message, origin)):
            return stored, 0
        if self._allowances and (key := self._allowances.missing(message, origin, headers)):
            return await self._hold(message, origin, key), 0
        if message.is_bulk and not origin.kept and self._shares.is_full(message.tenant):
            return await self._hold(message, origin, TURN), 0
        self._metrics.unclaimed += not origin.kept
        try:
            released = await self._take_turn(message, origin)
            if stopped := self._stopped(message, origin):
                return stopped, 0
            if self._may_wait(message) and (stored := await self._put_aside(message, origin)):
                return stored, 0
            if not released:
                return Interrupted(), 0
            claim = await self._claim(message, origin)
        except LedgerBlockedError as error:
            return Held(f"the ledger accepts no claims: {error}"), 0
        finally:
            self._metrics.unclaimed -= not origin.kept
        if not isinstance(claim, Claim):
            return claim, 0
        return await self._attempt(message, headers, claim), claim.attempt

    async def _take_turn(self, message: EmailMessage, origin: Origin) -> bool:
        """Wait for the pacer; False if it does not release the mail."""
        permitted, _ = self._gate.permitted(message)
        waits_in_vain, tenant = partial(self._waits_in_vain, message, origin), message.tenant
        if not message.is_bulk:
            return await self._pacer.acquire(permitted.recipients, waits_in_vain, Lane.TRANSACTIONAL, tenant)
        self._shares.enter(tenant)
        try:
            return await self._pacer.acquire(permitted.recipients, waits_in_vain, Lane.BULK, tenant)
        finally:
            self._shares.leave(tenant)

    async def _schedule(self, message: EmailMessage, origin: Origin) -> Outcome:
        try:
            return await self._ledger.schedule(message, origin)
        except TooLargeToKeepError as error:
            return Rejected(f"it is scheduled for later and can't be stored until then: {error}")
        except (NotKeptError, LedgerBlockedError) as error:
            return Held(f"it is scheduled for later and can't be stored at the moment: {error}")

    def _may_wait(self, message: EmailMessage) -> object:
        return self._holds or message.send_window or self._windows.default

    async def _put_aside(self, message: EmailMessage, origin: Origin) -> Outcome | None:
        """Move mail into the store that a hold covers, or whose window is closed; None if it may go on."""
        if self._holds and (key := self._holds.covering(message)):
            return await self._hold(message, origin, key)
        if opens := self._windows.closed_until(message):
            return await self._wait_for_window(message, origin, opens)
        return None

    async def _hold(self, message: EmailMessage, origin: Origin, key: str) -> Outcome:
        """Move the mail into the store, until the hold is over. It counts no attempt, and takes nobody's place meanwhile."""
        try:
            return await self._ledger.schedule(message, origin, key)
        except (TooLargeToKeepError, NotKeptError, LedgerBlockedError) as error:
            return Held(f"it waits for a hold ({key}) and can't be stored until then: {error}")

    async def _wait_for_window(self, message: EmailMessage, origin: Origin, opens: float) -> Outcome:
        """Move the mail into the store until its window opens (Unix seconds)."""
        due = from_unix(opens)
        if message.expires_at and message.expires_at <= due:
            return Stopped(StopReason.EXPIRED, f"before its send window opens at {due.isoformat()}")
        try:
            return await self._ledger.schedule(message.model_copy(update={"scheduled_at": due}), origin, WINDOW)
        except TooLargeToKeepError as error:
            return Rejected(f"it waits for its send window and can't be stored until then: {error}")
        except (NotKeptError, LedgerBlockedError) as error:
            return Held(f"it waits for its send window and can't be stored at the moment: {error}")

    def _waits_in_vain(self, message: EmailMessage, origin: Origin) -> object:
        return self._stopped(message, origin) or (self._holds and self._holds.covering(message))

    def _stopped(self, message: EmailMessage, origin: Origin) -> Stopped | None:
        if message.expires_at and message.expires_at.timestamp() <= time.time():
            return Stopped(StopReason.EXPIRED, _expired(message.expires_at))
        return self._gate.check(message, origin)

    async def _attempt(self, message: EmailMessage, headers: Mapping[str, str], claim: Claim) -> Outcome:
        permitted, left_out = self._gate.permitted(message)  # checked again: the mail may have waited long for its turn
        began = self._loop.time()
        self._metrics.in_flight += 1
        try:
            result = await self._send(self._compose(permitted, headers), claim.deadline)
        except Exception as error:  # noqa: BLE001 - a bug of ours after the claim; the request may have been written
            _log.exception("send.crashed", uuid=message.uuid)
            result = InDoubt(f"{type(error).__name__} while sending")
        finally:
            self._metrics.in_flight -= 1
        if isinstance(result, Interrupted):
            return result
        self._metrics.ses_call.observe(self._loop.time() - began)
        self._notify_observers(result)
        if isinstance(result, (Sent, InDoubt)):
            return replace(result, left_out=left_out + result.left_out) if left_out else result
        if isinstance(result, Failed) and claim.attempt >= self._max_attempts:
            return Exhausted(f"attempt {claim.attempt} of {self._max_attempts}: {result.reason}")
        return result

    def _notify_observers(self, result: SendResult) -> None:
        for observer in self._observers:
            try:
                observer.report(result)
            except Exception:  # noqa: BLE001 - see below
                # The mail may have been sent, so its outcome must be recorded no matter what.
                _log.exception("observer.crashed", observer=type(observer).__name__)


def _expired(expires_at: datetime) -> str:
    return f"expired at {expires_at.isoformat()}"
