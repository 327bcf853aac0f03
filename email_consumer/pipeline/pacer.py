"""The pacer: keeps to the allowed rate of recipients per second, and holds everything while sending is paused.

SES counts recipients, not calls, over each second. aiolimiter's leaky bucket either starts with a burst of twice the rate
or stays well below it, and needs one timer per waiter; the pacer has one timer for all waiters. It combines three rules:

- a schedule: one recipient every 1/rate seconds; what is late catches up, so the average is the rate itself;
- a cap: no sliding second contains more than rate + max(1, 1 %) recipients, catching up included;
- a pace: what catches up goes one by one, at the speed of the cap. All at once it would fill the second, which then has to
  end without any mail: the same delay again, each second, until it is caught up on.

Four things here limit something, and none replaces another. The *request limiter* (`api.request_limiter`) bounds the HTTP
requests whose bodies are read at the same time; *delivery slots* (`core.delivery_slots`) bound the unsettled deliveries
of a process; the *publish window* (`scheduling.publish_window`) bounds how much scheduled mail waits in the queue; the
*pacer* decides when the next recipients may go to SES.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable

from email_consumer.core.metrics import Metrics
from email_consumer.message.lane import Lane
from email_consumer.pipeline.waiting_mail import Waiter, WaitingMail

_TICK = 0.005
"""Minimum seconds between two releases: several waiters share one timer."""
_RESOLUTION = 0.001
"""Seconds by which the schedule may be ahead of the clock without a timer: uvloop's clock counts milliseconds."""
_CATCH_UP = 0.25
"""Seconds of delay that are caught up on; anything beyond is dropped rather than sent in a burst."""
_AT_ONCE = 0.01
"""Seconds of delay that are caught up on at once: a tick releases what came due since the last one, and may be late itself."""


class Pacer:
    """Releases waiters in the order of `WaitingMail`. Uses the event loop's clock and timers, and needs no task."""

    def __init__(self, rate: float, metrics: Metrics, *, bulk_floor: float = 0.05) -> None:
        """`rate` is in recipients a second, above 0; `bulk_floor` is the part of it that bulk mail always gets."""
        self._loop = asyncio.get_running_loop()
        self._metrics = metrics
        self._rate = rate
        self._cap = _cap(rate)
        self._waiting = WaitingMail(bulk_floor)
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._loop.time()
        """When the next recipient is due by the schedule."""
        self._earliest = self._due
        """When the next recipient may go by the pace."""
        self._window: deque[tuple[float, int]] = deque()
        self._in_window = 0
        self._holds: dict[str, str] = {}
        self._bulk_holds: dict[str, str] = {}
        self._probes = 0
        self._closed = False
        self._update_metrics()

    @property
    def rate(self) -> float:
        """Recipients a second."""
        return self._rate

    def set_rate(self, rate: float) -> None:
        """Takes effect at once, also for those already waiting."""
        # What has been released ahead of the schedule is made up for at the new rate.
        now, change = self._loop.time(), self._rate / rate - 1
        self._due += max(0.0, self._due - now) * change
        self._earliest += max(0.0, self._earliest - now) * change
        self._rate = rate
        self._cap = _cap(rate)
        self._update_metrics()
        self._wake()

    @property
    def held(self) -> str:
        """Why nothing is released; empty while mail flows."""
        return "; ".join(self._holds.values())

    @property
    def bulk_held(self) -> str:
        """Why no bulk mail is released although transactional mail is; empty while bulk mail flows."""
        return "; ".join(self._bulk_holds.values())

    def hold(self, holder: str, reason: str) -> None:
        """Release nothing until `holder` calls `resume`; there may be several holders."""
        self._holds[holder] = reason
        self._bulk_holds.pop(holder, None)
        self._apply_holds()

    def hold_bulk(self, holder: str, reason: str) -> None:
        """Release no bulk mail until `holder` calls `resume`."""
        self._bulk_holds[holder] = reason
        self._holds.pop(holder, None)
        self._apply_holds()
        self._wake()

    def resume(self, holder: str) -> None:
        if not (self._holds.pop(holder, None) or self._bulk_holds.pop(holder, None)):
            return
        self._apply_holds()
        if not self._holds:
            self._probes = 0
        self._wake()

    def probe(self) -> None:
        """Let one waiter through although there is a holder, to find out whether its reason is gone."""
        self._probes = 1
        self._wake()

    async def acquire(
        self,
        recipients: int,
        stopped: Callable[[], object] = lambda: None,
        lane: Lane = Lane.BULK,
        tenant: str | None = None,
    ) -> bool:
        """Wait until a mail with this number of recipients may be sent; False if it may not. Tenants take turns.

        That is the case once the pacer is closed, or if `stopped` returns something true when `drop_stopped` is called.
        """
        if self._closed:
            return False
        if self._timer is None and self._waiting.next() is None:
            now = self._loop.time()
            self._due = max(self._due, now)  # idle time is not caught up on
            held = self._holds or self._bulk_holds
            due = max(self._due, self._earliest)
            if not held and due <= now + _RESOLUTION and self._room_at(recipients, now) <= now:
                self._record(recipients, now)
                return True
        future: asyncio.Future[bool] = self._loop.create_future()
        waiter = Waiter(recipients, future, stopped, lane, tenant)
        self._waiting.add(waiter)
        if self._timer is None:
            self._release()
        elif (
            lane is Lane.TRANSACTIONAL and self._waiting.next() is waiter
        ):  # goes before the mail that the timer was set for
            self._wake()
        return await future

    def close(self) -> None:
        """Turn away all waiters, present and future."""
        self._closed = True
        for waiter in self._waiting:
            _turn_away(waiter)
        self._waiting.keep(lambda _: False)
        if self._timer is not None:
            self._timer.cancel()

    def _apply_holds(self) -> None:
        self._waiting.bulk_held = bool(self._bulk_holds)
        self._update_metrics()

    def _update_metrics(self) -> None:
        self._metrics.held, self._metrics.bulk_held = self.held, self.bulk_held
        self._metrics.rate = 0.0 if self._holds else self._rate

    def drop_stopped(self) -> None:
        """Turn away waiters that have been stopped: while the pacer is held they would otherwise keep their slots."""
        for waiter in self._waiting:
            if waiter.stopped():
                _turn_away(waiter)
        self._waiting.keep(lambda waiter: not waiter.future.done())

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._release()

    def _release(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._due = max(self._due, now - _CATCH_UP)
        while waiter := self._waiting.next():
            if self._holds and not (self._probes and len(self._holds) == 1):
                return  # resume() or probe() starts the timer again
            ready = max(self._due, self._earliest, self._room_at(waiter.recipients, now))
            if ready > now:
                self._timer = self._loop.call_at(max(ready, now + _TICK), self._release)
                return
            self._waiting.take(waiter)
            self._record(waiter.recipients, now)
            waiter.future.set_result(True)

    def _record(self, recipients: int, now: float) -> None:
        """Count a mail that is released now."""
        self._probes = 0
        self._due += recipients / self._rate
        self._earliest = max(self._earliest, now - _AT_ONCE) + recipients / self._cap
        self._window.append((now, recipients))
        self._in_window += recipients
        self._metrics.peak = max(self._metrics.peak, self._in_window)

    def _room_at(self, recipients: int, now: float) -> float:
        """When the sliding second has room for this number of recipients."""
        while self._window and self._window[0][0] <= now - 1:
            self._in_window -= self._window.popleft()[1]
        excess = self._in_window + min(recipients, self._cap) - self._cap
        if excess <= 0:
            return now
        for released_at, released in self._window:
            excess -= released
            if excess <= 0:
                return released_at + 1
        return now


def _cap(rate: float) -> int:
    """Recipients in a sliding second at the most."""
    return math.floor(rate + max(1.0, rate / 100))


def _turn_away(waiter: Waiter) -> None:
    if not waiter.future.done():
        waiter.future.set_result(False)
