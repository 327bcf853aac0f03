"""An event loop whose clock only its timers move."""

import asyncio
import heapq
from collections.abc import Callable
from typing import Any


class ManualClock(asyncio.SelectorEventLoop):
    """Time passes only towards the next timer, and each timer may be made late."""

    def __init__(self, lateness: Callable[[float], float]) -> None:
        super().__init__()
        self._now = 1000.0
        self._lateness = lateness

    def time(self) -> float:
        return getattr(self, "_now", 0.0)

    def _run_once(self) -> None:
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)._scheduled = False
        if scheduled and not self._ready:  # type: ignore[attr-defined]
            self._now = max(self._now, scheduled[0].when() + self._lateness(scheduled[0].when()))
        super()._run_once()  # type: ignore[misc]
