"""The deliveries in hand: a task each, kept from being delivered again meanwhile, and waited for at the end."""

import asyncio
from collections.abc import Callable, Coroutine

import structlog

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.metrics import Metrics
from email_consumer.runtime.tasks import end

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Between the sources and the pipeline. One timer says in-progress for all deliveries of a source."""

    def __init__(
        self,
        handle: Callable[[Delivery], Coroutine[None, None, None]],
        slots: DeliverySlots,
        metrics: Metrics,
        heartbeat: float,
    ) -> None:
        """`heartbeat` in seconds: a third of the source's redelivery time-out."""
        self._handle = handle
        self._slots = slots
        self._metrics = metrics
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[None], tuple[Delivery, float]] = {}

    def start(self, delivery: Delivery) -> None:
        """Take a delivery in hand; its slot is free again once it is settled."""
        self._slots.take(len(delivery.payload))
        task = self._loop.create_task(self._handle(delivery))
        self._tasks[task] = (delivery, self._loop.time())
        self._metrics.unsettled = len(self._tasks)
        task.add_done_callback(self._done)

    def oldest(self) -> float | None:
        """For how many seconds the oldest has been in hand; None if there is none."""
        began = [since for _, since in self._tasks.values()]
        return self._loop.time() - min(began) if began else None

    async def keep_alive(self) -> None:
        """Until cancelled. A source that is slow to answer delays no other's heartbeat."""
        telling: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                await asyncio.sleep(self._heartbeat)
                for source in {delivery.source for delivery, _ in self._tasks.values()}:
                    if source not in telling or telling[source].done():
                        telling[source] = self._loop.create_task(self._tell(source))
        finally:
            await end(*telling.values())

    async def drain(self, grace: float) -> int:
        """Wait up to `grace` seconds for all to be settled; how many were given up instead."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        left = list(self._tasks)
        await end(*left)
        return len(left)

    async def _tell(self, source: str) -> None:
        telling = [delivery.in_progress() for delivery, _ in self._tasks.values() if delivery.source == source]
        results = await asyncio.gather(*telling, return_exceptions=True)
        failures = [result for result in results if isinstance(result, Exception)]
        if failures:
            _log.warning("heartbeat.failed", source=source, deliveries=len(failures), error=str(failures[0]))

    def _done(self, task: asyncio.Task[None]) -> None:
        delivery, _ = self._tasks.pop(task)
        self._metrics.unsettled = len(self._tasks)
        self._slots.release(len(delivery.payload))
        if not task.cancelled() and (error := task.exception()):
            # It comes back after the source's time-out, and the ledger knows how far it got.
            _log.error("delivery.crashed", reference=delivery.reference, exc_info=error)
