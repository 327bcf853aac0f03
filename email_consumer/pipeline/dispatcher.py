"""Runs one task per delivery, sends heartbeats to the sources meanwhile, and waits for the tasks when the process drains."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import NamedTuple

import structlog

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.metrics import Metrics
from email_consumer.message.lane import Lane
from email_consumer.runtime.tasks import end

_log = structlog.get_logger(__name__)


class _Unsettled(NamedTuple):
    delivery: Delivery
    slots: DeliverySlots
    """One of which it has."""
    started_at: float


class Dispatcher:
    """Sits between the sources and the pipeline, and knows every unsettled delivery of this process."""

    def __init__(
        self,
        handle: Callable[[Delivery], Coroutine[None, None, None]],
        metrics: Metrics,
        heartbeat: float,
    ) -> None:
        """Create a dispatcher without deliveries.

        Args:
            handle: sees one delivery through to its settlement.
            metrics: gets the number of unsettled deliveries.
            heartbeat: seconds between two in-progress signals; a third of the source's redelivery timeout.
        """
        self._handle = handle
        self._metrics = metrics
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[None], _Unsettled] = {}

    def start(self, delivery: Delivery, slots: DeliverySlots) -> None:
        """Handle a delivery in a new task. It takes one of the `slots`, and releases it once it is settled."""
        slots.take(len(delivery.payload))
        task = self._loop.create_task(self._handle(delivery))
        self._tasks[task] = _Unsettled(delivery, slots, self._loop.time())
        self._metrics.unsettled = len(self._tasks)
        if delivery.lane is Lane.TRANSACTIONAL:
            self._metrics.unsettled_transactional += 1
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        delivery, slots, _ = self._tasks.pop(task)
        self._metrics.unsettled = len(self._tasks)
        if delivery.lane is Lane.TRANSACTIONAL:
            self._metrics.unsettled_transactional -= 1
        slots.release(len(delivery.payload))
        if not task.cancelled() and (error := task.exception()):
            # The source redelivers it after its timeout, and the ledger knows how far it got.
            _log.error("delivery.crashed", reference=delivery.reference, exc_info=error)

    def oldest(self) -> float | None:
        """Seconds since the oldest unsettled delivery was started; None without one."""
        started = [unsettled.started_at for unsettled in self._tasks.values()]
        return self._loop.time() - min(started) if started else None

    async def keep_alive(self) -> None:
        """Send heartbeats until cancelled. A source that responds slowly does not delay another source's heartbeats."""
        running: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                await asyncio.sleep(self._heartbeat)
                for source in {unsettled.delivery.source for unsettled in self._tasks.values()}:
                    if source not in running or running[source].done():
                        running[source] = self._loop.create_task(self._send_heartbeats(source))
        finally:
            await end(*running.values())

    async def _send_heartbeats(self, source: str) -> None:
        deliveries = [unsettled.delivery for unsettled in self._tasks.values()]
        signals = [delivery.in_progress() for delivery in deliveries if delivery.source == source]
        results = await asyncio.gather(*signals, return_exceptions=True)
        errors = [result for result in results if isinstance(result, Exception)]
        if errors:
            _log.warning("heartbeat.failed", source=source, deliveries=len(errors), error=str(errors[0]))

    async def drain(self, grace: float) -> int:
        """Wait up to `grace` seconds until all deliveries are settled; returns how many had to be abandoned."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        abandoned = list(self._tasks)
        await end(*abandoned)
        return len(abandoned)
