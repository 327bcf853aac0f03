"""Receiving from a queue: long polls of at most ten messages, as many at a time as keep the slots busy."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.runtime.backoff import backoff
from email_consumer.runtime.tasks import end
from email_consumer.sqs.batches import MOST
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import Received, SqsQueue

_MOST_RECEIVES = 20
_GATHER = 0.05
"""Seconds between two looks at the free slots: they come one by one, and a call should bring several messages."""
_LAST_ANSWER = 0.3
"""Seconds that a long poll may still take at the end."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0

_log = structlog.get_logger(__name__)


class SqsReceiver:
    """Takes no more than there are free slots: each receipt counts towards the queue's redrive policy."""

    def __init__(
        self, queue: SqsQueue, *, slots: DeliverySlots, visibility: float, start: Callable[[Received], None]
    ) -> None:
        """`start` accepts a message immediately and takes a slot; for `visibility` seconds nobody else receives it."""
        self._queue = queue
        self._slots = slots
        self._visibility = visibility
        self._start = start
        self._receives: dict[asyncio.Task[None], int] = {}
        self._allowed = 1
        """Receives at a time: more while they come back full, one on an empty queue."""
        self._failures = 0
        """Calls in a row that SQS did not answer."""
        self._pause = 0.0
        """Seconds between two tries while SQS gives no answer; 0 while it does."""
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        slots.on_change(self._wake_if_due)

    async def run(self) -> None:
        """Receive until cancelled, or until `stop`."""
        self._ended.clear()
        try:
            while not self._stopping.is_set():
                while count := self._due():
                    self._begin(count)
                await self._unless_stopping(self._pause or _GATHER)
                self._wake.clear()
                if not self._due() and not self._stopping.is_set():
                    await self._wake.wait()
            if self._receives:
                await asyncio.wait(self._receives, timeout=_LAST_ANSWER)
        finally:
            await self._cancel_receives()
            self._ended.set()

    async def stop(self) -> None:
        """Accept nothing more; what still arrives is given back immediately."""
        self._stopping.set()
        self._wake.set()
        await self._ended.wait()

    def _due(self) -> int:
        """How many to ask for in one more call."""
        free = self._slots.free - sum(self._receives.values())
        return max(0, min(MOST, free)) if len(self._receives) < self._allowed else 0

    def _wake_if_due(self) -> None:
        if self._due():
            self._wake.set()

    def _begin(self, count: int) -> None:
        receive = asyncio.create_task(self._receive(count))
        self._receives[receive] = count
        receive.add_done_callback(self._done)

    def _done(self, receive: "asyncio.Task[None]") -> None:
        del self._receives[receive]
        self._wake.set()
        if not receive.cancelled() and (error := receive.exception()):
            _log.error("sqs.receive_crashed", queue=self._queue.name, exc_info=error)
            self._back_off()

    async def _receive(self, count: int) -> None:
        try:
            messages = await self._queue.receive(count, visibility=self._visibility)
        except SqsError as error:
            self._failed(error)
            return
        if self._pause:
            self._pause, self._failures = 0.0, 0
            _log.info("sqs.resumed", queue=self._queue.name)
        if len(messages) == count:
            self._allowed = min(self._allowed + 1, _MOST_RECEIVES)
        elif not messages:
            self._allowed = 1
        if self._stopping.is_set():
            # What can't be given back is redelivered after its visibility timeout.
            giving = [self._queue.change_visibility(message.receipt_handle, 0) for message in messages]
            await asyncio.gather(*giving, return_exceptions=True)
            return
        for message in messages:
            self._start(message)

    def _failed(self, error: SqsError) -> None:
        if not self._pause:  # logged once, not at each try
            _log.warning("sqs.interrupted", queue=self._queue.name, answer=str(error))
        self._back_off()

    def _back_off(self) -> None:
        self._allowed = 1
        self._failures += 1
        self._pause = backoff(_FIRST_PAUSE, self._failures, _LONGEST_PAUSE)

    async def _cancel_receives(self) -> None:
        await end(*self._receives)

    async def _unless_stopping(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
