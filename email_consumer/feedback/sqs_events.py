"""SES events through SNS and an SQS queue, which keeps them while the sidecar is down."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

import structlog

from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.runtime.clock import elapsed
from email_consumer.runtime.tasks import end
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import Received, SqsQueue
from email_consumer.sqs.receiver import SqsReceiver

_CONCURRENT = 500
_VISIBILITY = 20.0
"""Seconds; longer than the inbox ever takes. Events that a killed process had received are visible again after that."""
_RETRY_SOON = 5.0
"""Seconds before retrying an event after a temporary error."""
_RETRY_LATER = 300.0
"""Seconds before retrying a refused event: the wrong setting may have been fixed."""
_BACKLOG = 15.0
"""Seconds: an event that waited longer indicates a backlog."""
_CHECK_INTERVAL = 1.0

_log = structlog.get_logger(__name__)


class SqsEvents:
    """The same messages as over HTTP, with the same checks."""

    def __init__(
        self, queue: SqsQueue, handle: Callable[[bytes], Awaitable[None]], expected_from: Callable[[float], None]
    ) -> None:
        """`handle` is `EventReceiver.handle`.

        `expected_from` is called with the time (Unix seconds) from which on all SES events are known here; it advances while
        there is a backlog.
        """
        self._queue = queue
        self._handle = handle
        self._expected_from = expected_from
        self._ready_at = -math.inf
        """By `elapsed`: the wall clock may be put back."""
        self._slots = DeliverySlots(_CONCURRENT)
        self._receiver = SqsReceiver(queue, slots=self._slots, visibility=_VISIBILITY, start=self._start)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled; events in progress are delivered again and recognized by their message id."""
        self._not_before(elapsed() + _VISIBILITY)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receiver.run())
                tasks.create_task(self._watch())
        finally:
            await end(*self._tasks)

    async def _watch(self) -> None:
        while True:
            if self._queue.last_error:
                self._not_before(elapsed())
            await asyncio.sleep(_CHECK_INTERVAL)

    def _not_before(self, moment: float) -> None:
        self._ready_at = max(self._ready_at, moment)
        self._expected_from(time.time() + self._ready_at - elapsed())

    def _start(self, received: Received) -> None:
        # One that was deferred before says nothing about the backlog.
        if received.receives == 1 and received.waited > _BACKLOG:
            self._not_before(elapsed())
        self._slots.take()
        task = asyncio.create_task(self._process(received))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()):
            _log.error("events.crashed", exc_info=error)

    async def _process(self, received: Received) -> None:
        try:
            try:
                await self._handle(received.body.encode())
            except MessageRefusedError as refusal:
                delay = _RETRY_SOON if refusal.temporary else _RETRY_LATER
                await self._queue.change_visibility(received.receipt_handle, delay)
            else:
                await self._queue.delete(received.receipt_handle)
        except SqsError as error:
            _log.warning(
                "events.not_settled",
                error=str(error),
                hint="the event is delivered again and recognized as a duplicate",
            )
