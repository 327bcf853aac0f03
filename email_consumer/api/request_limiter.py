"""Bounds what large requests may hold in memory: few at once, some waiting, the rest come back later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from email_consumer.web.routing import ApiError


class RequestLimiter:
    def __init__(self, at_once: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._queue = at_once + waiting
        self._taken = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The block runs when it is our turn.

        Raises:
            ApiError: 429, too many wait already.
        """
        if self._taken >= self._queue:
            raise ApiError(429, "busy", "Too many requests at once; try again.", headers={"Retry-After": "1"})
        self._taken += 1
        try:
            async with self._places:
                yield
        finally:
            self._taken -= 1
