"""Lets requests wait for a signal instead of polling."""

import asyncio
from collections.abc import Awaitable, Callable


class Change:
    """Announces a change to everything that waits for a condition on it."""

    def __init__(self) -> None:
        """Nothing has changed yet."""
        self._next = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` at every change from now on."""
        self._listeners.append(listener)

    def announce(self) -> None:
        """Let every waiter check its condition again."""
        self._next.set()
        self._next = asyncio.Event()
        for listener in self._listeners:
            listener()

    async def wait_until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Return once `holds` is true; it is asked now and after every change."""
        while True:
            change = self._next  # before asking, so that a change while asking isn't missed
            if await holds():
                return
            await change.wait()
