"""Lets the event loop do its other work in the middle of a long computation."""

import asyncio

_LONGEST = 0.005
"""Seconds: what waits meanwhile hardly notices."""


class Breather:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    async def breathe(self) -> None:
        """To be called often: it gives way only if the last time is long enough ago."""
        if self._loop.time() - self._last > _LONGEST:
            await asyncio.sleep(0)
            self._last = self._loop.time()
