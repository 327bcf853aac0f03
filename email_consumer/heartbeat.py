"""Keeps what is in hand from being delivered to somebody else meanwhile."""

import asyncio

import structlog

from email_consumer.delivery import Delivery

_log = structlog.get_logger(__name__)


class Heartbeat:
    """The deliveries in hand. One timer says in-progress for all of them."""

    def __init__(self, interval: float) -> None:
        """`interval` in seconds: a third of the source's redelivery time-out."""
        self._interval = interval
        self._in_hand: set[Delivery] = set()

    def add(self, delivery: Delivery) -> None:
        self._in_hand.add(delivery)

    def remove(self, delivery: Delivery) -> None:
        self._in_hand.discard(delivery)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            deliveries = list(self._in_hand)
            results = await asyncio.gather(*(each.in_progress() for each in deliveries), return_exceptions=True)
            failures = [result for result in results if isinstance(result, Exception)]
            if failures:
                _log.warning("heartbeat.failed", deliveries=len(failures), error=str(failures[0]))
