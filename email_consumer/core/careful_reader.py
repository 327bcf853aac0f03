"""Reads payloads, and gives up on one that repeatedly kills the process reading it.

Reading never yields to the event loop. So a process that dies while reading leaves a journal entry for exactly the delivery
it was reading, and for no other unsettled delivery.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from email_consumer.core.delivery import Delivery

FATAL = 3
"""Fatal reads after which a delivery is left unread; its first delivery is not counted."""
_REMEMBERED = 20_000
"""Deliveries that were read and may be retried. One that is forgotten is only recorded once more."""

Read = TypeVar("Read")


class ReadingJournal(Protocol):
    """Outlives the process. Implementations do not raise if they can't write: then nothing is known."""

    async def begin(self, key: str) -> int:
        """Record that a read begins; returns how many began before and never ended."""

    async def end(self, key: str) -> None:
        """Delete the record: the delivery was read, and this process is still alive."""


class FatalDeliveryError(Exception):
    """Processes die when they read this delivery."""


class CarefulReader(Generic[Read]):
    """Reads a first delivery directly. A redelivery is recorded first, unless this process has read it before."""

    def __init__(self, read: Callable[[bytes], Read], journal: ReadingJournal) -> None:
        self._read = read
        self._journal = journal
        self._harmless: dict[int, None] = {}
        """Numbers from the keys of deliveries that this process survived, oldest first."""
        self._one_at_a_time = asyncio.Lock()

    async def read(self, delivery: Delivery) -> Read:
        """Read the payload.

        Raises:
            FatalDeliveryError: it must not be read.
            Exception: whatever the read raises.
        """
        if delivery.received <= 1:
            return self._read(delivery.payload)
        key = _key(delivery)
        number = int(key[:16], 16)
        if number in self._harmless:
            return self._read(delivery.payload)
        async with self._one_at_a_time:
            begun = await self._journal.begin(key)
            if begun >= FATAL:
                raise FatalDeliveryError(
                    f"each of the {begun} processes that began to read it was killed; it was left unread"
                )
            try:
                return self._read(delivery.payload)
            finally:
                self._harmless[number] = None
                if len(self._harmless) > _REMEMBERED:
                    del self._harmless[next(iter(self._harmless))]
                await self._journal.end(key)


def _key(delivery: Delivery) -> str:
    """A recreated stream numbers its messages from 1 again, but stores them at other times."""
    name = f"{delivery.source} {delivery.reference} {delivery.stored_at!r}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]
