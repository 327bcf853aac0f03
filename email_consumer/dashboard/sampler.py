"""Once a second, for all viewers together: a point of the plot, and how things stand."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass

import orjson

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Failed, Throttled
from email_consumer.dashboard.snapshot import Point, State

_HISTORY = 300
"""Points: five minutes."""
_SMOOTHED = 3
"""Points that `sent` is the mean of."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html), ready for the wire."""

    full: bytes
    public: bytes


class Sampler:
    """Points are taken always, so that who opens the page sees what was; the rest only while somebody looks."""

    def __init__(self, metrics: Metrics, look: Callable[[], Awaitable[State]], *, interval: float = 1.0) -> None:
        """`interval` in seconds; `look` may take most of it, and must not raise."""
        self._metrics = metrics
        self._look = look
        self._interval = interval
        self._points: deque[Point] = deque(maxlen=_HISTORY)
        self._seen = _counts(metrics)
        self._sent: deque[float] = deque(maxlen=_SMOOTHED)
        self._next: asyncio.Future[Frame | None] | None = None
        self._ended = False
        self.viewers = 0

    @contextmanager
    def viewer(self) -> Iterator[None]:
        """Somebody looks."""
        self.viewers += 1
        try:
            yield
        finally:
            self.viewers -= 1

    def history(self) -> bytes:
        """The event that fills the plot."""
        return _event("history", [astuple(point) for point in self._points])

    async def next(self) -> Frame | None:
        """The next second's event; None when there will be none. A viewer who is slow misses some."""
        if self._ended:
            return None
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._next)

    async def run(self) -> None:
        """Until cancelled, which sends the viewers home."""
        loop = asyncio.get_running_loop()
        before = due = loop.time()
        try:
            while True:
                due += self._interval
                if due <= loop.time():  # the loop was kept busy: a whole interval anew, there is no rate over none
                    due = loop.time() + self._interval
                await asyncio.sleep(due - loop.time())
                now = loop.time()
                point = self._point(now - before)
                before = now
                self._points.append(point)
                if self.viewers:
                    self._tell(_frame(point, await self._look()))
        finally:
            self._ended = True
            self._tell(None)

    def _point(self, seconds: float) -> Point:
        metrics, counts = self._metrics, _counts(self._metrics)
        sent, throttled, retried = (now - before for now, before in zip(counts, self._seen, strict=True))
        self._seen = counts
        self._sent.append(sent / seconds)
        return Point(
            at=round(time.time(), 2),
            sent=round(sum(self._sent) / len(self._sent), 1),
            limit=0.0 if metrics.held else round(metrics.rate, 1),
            in_flight=metrics.in_flight,
            throttled=throttled,
            retried=retried,
        )

    def _tell(self, frame: Frame | None) -> None:
        if self._next is not None:
            self._next.set_result(frame)
            self._next = None


def _counts(metrics: Metrics) -> tuple[int, int, int]:
    return metrics.recipients_sent, metrics.outcomes[Throttled], metrics.outcomes[Failed]


def _frame(point: Point, state: State) -> Frame:
    full, public = ({"point": astuple(point), "state": each} for each in (state, state.for_the_public()))
    return Frame(_event("sample", full), _event("sample", public))


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))  # JSON has no line breaks
