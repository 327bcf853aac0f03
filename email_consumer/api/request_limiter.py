"""Bounds the memory of large requests: a few run, some wait, the rest are refused with 429."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from email_consumer.web.routing import ApiError


class RequestLimiter:
    def __init__(self, concurrent: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(concurrent)
        self._capacity = concurrent + waiting
        self._admitted = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot and hold it for the block.

        Raises:
            ApiError: 429, too many requests are waiting.
        """
        if self._admitted >= self._capacity:
            raise ApiError(429, "busy", "Too many concurrent requests; try again.", headers={"Retry-After": "1"})
        self._admitted += 1
        try:
            async with self._slots:
                yield
        finally:
            self._admitted -= 1
