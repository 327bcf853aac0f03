"""Reads payloads, and gives up on one that keeps killing the process that reads it.

Reading is a single step without a pause. So a process that dies in it leaves a note about the one delivery that it was
reading, and about none of those that waited in its hands.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from cachetools import LRUCache

from email_consumer.core.delivery import Delivery

FATAL = 3
"""Readings that nobody survived, the first delivery not counted."""
_REMEMBERED = 50_000
"""Deliveries that were read and are still being retried, at the most: more are never in a source's hands."""

Read = TypeVar("Read")


class ReadingJournal(Protocol):
    """Outlives the process. Not being able to write is no reason to raise: then nothing is known."""

    async def begin(self, key: str) -> int:
        """Note that a reading begins; how many began before and never ended."""

    async def end(self, key: str) -> None:
        """It was read, and this process is alive: what is noted about it is void."""


class FatalDeliveryError(Exception):
    """Whoever reads this delivery dies."""


class CarefulReader(Generic[Read]):
    """Reads a first delivery at once. One that comes again is noted first, unless this process has read it before."""

    def __init__(self, read: Callable[[bytes], Read], journal: ReadingJournal) -> None:
        self._read = read
        self._journal = journal
        self._harmless: LRUCache[str, bool] = LRUCache(_REMEMBERED)
        self._one_at_a_time = asyncio.Lock()

    async def read(self, delivery: Delivery) -> Read:
        """What is in its payload.

        Raises:
            FatalDeliveryError: it must stay unread.
            Exception: what the reading raises.
        """
        if delivery.received <= 1:
            return self._read(delivery.payload)
        key = _key(delivery)
        if key in self._harmless:
            return self._read(delivery.payload)
        async with self._one_at_a_time:
            begun = await self._journal.begin(key)
            if begun >= FATAL:
                raise FatalDeliveryError(
                    f"each of {begun} processes that began to read it was killed; it was left unread"
                )
            try:
                return self._read(delivery.payload)
            finally:
                self._harmless[key] = True
                await self._journal.end(key)


def _key(delivery: Delivery) -> str:
    """A stream that is made anew numbers its messages from 1 again, but doesn't store them at the same moment."""
    name = f"{delivery.source} {delivery.reference} {delivery.stored_at!r}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]
