"""SES's events through SNS and an SQS queue: they wait there for as long as nothing runs here."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.runtime.tasks import end
from email_consumer.sns.refusal import Refusal
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import Received, SqsQueue
from email_consumer.sqs.receiver import SqsReceiver

_AT_A_TIME = 500
_VISIBILITY = 20.0
"""Seconds; longer than the inbox ever takes. What a process had in hand when it died can't be read earlier."""
_AGAIN_SOON = 5.0
"""Seconds until an event is tried again that met a passing fault of ours."""
_AGAIN_LATER = 300.0
"""Seconds until a refused one is looked at again: the setting that was wrong may have been mended."""
_BEHIND = 15.0
"""Seconds: an event that waited longer shows that others wait too."""
_LOOK = 1.0

_log = structlog.get_logger(__name__)


class SqsEvents:
    """The same messages as over HTTP, checked in the same way."""

    def __init__(
        self, queue: SqsQueue, handle: Callable[[bytes], Awaitable[None]], expected_from: Callable[[float], None]
    ) -> None:
        """`handle` is `Receiver.handle`.

        `expected_from` hears since when (Unix seconds) whatever SES has told is known here: later and later while
        events wait that were not read yet.
        """
        self._queue = queue
        self._handle = handle
        self._expected_from = expected_from
        self._ready_at = 0.0
        self._slots = DeliverySlots(_AT_A_TIME)
        self._receiver = SqsReceiver(queue, slots=self._slots, visibility=_VISIBILITY, start=self._start)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled; what is in hand then comes again, and is known by its message id."""
        self._not_before(time.time() + _VISIBILITY)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receiver.run())
                tasks.create_task(self._watch())
        finally:
            await end(*self._tasks)

    async def _watch(self) -> None:
        while True:
            if self._queue.last_error:
                self._not_before(time.time())
            await asyncio.sleep(_LOOK)

    def _not_before(self, moment: float) -> None:
        self._ready_at = max(self._ready_at, moment)
        self._expected_from(self._ready_at)

    def _start(self, received: Received) -> None:
        # One that was put off before tells nothing of those behind it.
        if received.receives == 1 and received.waited > _BEHIND:
            self._not_before(time.time())
        self._slots.take()
        task = asyncio.create_task(self._take_in(received))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()):
            _log.error("events.crashed", exc_info=error)

    async def _take_in(self, received: Received) -> None:
        try:
            try:
                await self._handle(received.body.encode())
            except Refusal as refusal:
                delay = _AGAIN_SOON if refusal.passing else _AGAIN_LATER
                await self._queue.change_visibility(received.receipt_handle, delay)
            else:
                await self._queue.delete(received.receipt_handle)
        except SqsError as error:
            _log.warning("events.not_settled", error=str(error), hint="the event comes again, and is known then")
