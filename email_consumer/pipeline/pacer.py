"""The pace at which recipients are released towards SES.

SES counts recipients, not calls, over each second. aiolimiter's bucket either starts with a burst of twice the
rate or runs well below it and sets one timer per waiter; this pacer sets one timer for all of them and releases
what is due at each tick. Two rules hold together:

- a schedule: one recipient every 1/rate seconds; a late tick catches up, so the average is the rate itself;
- a cap: by this clock no sliding second holds more than rate + max(1, 1 %) recipients, catching up included.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from email_consumer.core.metrics import Metrics

_TICK = 0.005
"""Seconds between two releases at the least: several waiters share one timer."""
_CATCH_UP = 0.25
"""Seconds of lateness that are made good; what is later than this is given up rather than sent in a rush."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    recipients: int
    future: asyncio.Future[bool]
    stopped: Callable[[], object]


class Pacer:
    """Releases waiters in order. Runs on the event loop's clock, needs no task of its own."""

    def __init__(self, rate: float, metrics: Metrics) -> None:
        """`rate` is in recipients a second, above 0."""
        self._loop = asyncio.get_running_loop()
        self._metrics = metrics
        self._rate = rate
        self._waiting: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._loop.time()
        self._window: deque[tuple[float, int]] = deque()
        self._in_window = 0
        self._holds: dict[str, str] = {}
        self._probes = 0
        self._closed = False
        self._show()

    @property
    def rate(self) -> float:
        """Recipients a second."""
        return self._rate

    def set_rate(self, rate: float) -> None:
        """Take effect at once, for those who wait already too."""
        self._rate = rate
        self._show()
        self._wake()

    @property
    def held(self) -> str:
        """Why nothing is released; empty while the queue flows."""
        return "; ".join(self._holds.values())

    def hold(self, holder: str, reason: str) -> None:
        """Release nothing until `holder` resumes; several may hold at once."""
        self._holds[holder] = reason
        self._show()

    def resume(self, holder: str) -> None:
        self._holds.pop(holder, None)
        self._show()
        if not self._holds:
            self._probes = 0
        self._wake()

    def probe(self) -> None:
        """Let one waiter through although one holder holds, to see whether its reason is gone."""
        self._probes = 1
        self._wake()

    async def acquire(self, recipients: int, stopped: Callable[[], object] = lambda: None) -> bool:
        """Wait for the turn of a mail with so many recipients; False when it gets none.

        It gets none once the pacer is closed, or when `stopped` tells at a `sift` that it isn't wanted any more.
        """
        if self._closed:
            return False
        if not self._waiting:
            self._due = max(self._due, self._loop.time())  # idle time is not made good
        future: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append(_Waiter(recipients, future, stopped))
        if self._timer is None:
            self._release()
        return await future

    def close(self) -> None:
        """Send everyone who waits away, now and later."""
        self._closed = True
        for waiter in self._waiting:
            _send_away(waiter)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _show(self) -> None:
        self._metrics.held = self.held
        self._metrics.rate = 0.0 if self._holds else self._rate

    def sift(self) -> None:
        """Send those away who are stopped by now: they would hold their place for as long as the queue is."""
        for waiter in self._waiting:
            if waiter.stopped():
                _send_away(waiter)
        self._waiting = deque(waiter for waiter in self._waiting if not waiter.future.done())

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._release()

    def _release(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._waiting and (self._window and self._window[0][0] <= now - 1):
            self._in_window -= self._window.popleft()[1]
        self._due = max(self._due, now - _CATCH_UP)
        while self._waiting:
            waiter = self._waiting[0]
            if waiter.future.done():  # its delivery was cancelled
                self._waiting.popleft()
                continue
            if self._holds and not (self._probes and len(self._holds) == 1):
                return  # resume() or probe() starts the timer again
            recipients = waiter.recipients
            ready = max(self._due, self._room_at(recipients, now))
            if ready > now:
                self._timer = self._loop.call_at(max(ready, now + _TICK), self._release)
                return
            self._waiting.popleft()
            self._probes = 0
            self._due += recipients / self._rate
            self._window.append((now, recipients))
            self._in_window += recipients
            self._metrics.peak = max(self._metrics.peak, self._in_window)
            waiter.future.set_result(True)

    def _room_at(self, recipients: int, now: float) -> float:
        """When the sliding second has room for so many more."""
        cap = math.floor(self._rate + max(1.0, self._rate / 100))
        excess = self._in_window + min(recipients, cap) - cap
        if excess <= 0:
            return now
        for released_at, released in self._window:
            excess -= released
            if excess <= 0:
                return released_at + 1
        return now


def _send_away(waiter: _Waiter) -> None:
    if not waiter.future.done():
        waiter.future.set_result(False)
