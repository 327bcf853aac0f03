"""Yields to the event loop during a long computation."""

import asyncio

_LONGEST = 0.005
"""Seconds between two yields: short enough for other tasks not to notice."""


class Breather:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    async def breathe(self) -> None:
        """Call this often: it only yields if the last yield was long enough ago."""
        if self._loop.time() - self._last > _LONGEST:
            await asyncio.sleep(0)
            self._last = self._loop.time()
