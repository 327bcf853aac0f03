"""Once a second, shared by all viewers: a point of the plot and a snapshot."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass

import orjson

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Failed, Throttled
from email_consumer.dashboard.snapshot import Point, Snapshot
from email_consumer.runtime.ticks import until_tick

_HISTORY = 300
"""Points: five minutes."""
_SMOOTHED = 3
"""Points over which `sent` is averaged."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An encoded server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    full: bytes
    public: bytes


class Sampler:
    """Points are always taken, so that a new viewer sees the history; snapshots only while there are viewers."""

    def __init__(
        self, metrics: Metrics, take_snapshot: Callable[[], Awaitable[Snapshot]], *, interval: float = 1.0
    ) -> None:
        """`interval` in seconds; `take_snapshot` may take most of it, and must not raise."""
        self._metrics = metrics
        self._take_snapshot = take_snapshot
        self._interval = interval
        self._points: deque[Point] = deque(maxlen=_HISTORY)
        self._counted = _counts(metrics)
        self._sent: deque[float] = deque(maxlen=_SMOOTHED)
        self._transactional: deque[float] = deque(maxlen=_SMOOTHED)
        self._next: asyncio.Future[Frame | None] | None = None
        self._ended = False
        self.viewers = 0

    @contextmanager
    def viewer(self) -> Iterator[None]:
        """Count a viewer for the block."""
        self.viewers += 1
        try:
            yield
        finally:
            self.viewers -= 1

    def history(self) -> bytes:
        """The event with the points so far."""
        return _event("history", [astuple(point) for point in self._points])

    async def next(self) -> Frame | None:
        """The event of the next second; None at the end. A slow viewer misses some."""
        if self._ended:
            return None
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._next)

    async def run(self) -> None:
        """Until cancelled, which ends the viewers' streams."""
        self._ended = False  # it may have crashed before
        loop = asyncio.get_running_loop()
        before = loop.time()
        try:
            while True:
                await asyncio.sleep(until_tick(self._interval))
                now = loop.time()
                point = self._point(now - before)
                before = now
                self._points.append(point)
                if self.viewers:
                    self._publish(_frame(point, await self._take_snapshot()))
        finally:
            self._ended = True
            self._publish(None)

    def _point(self, seconds: float) -> Point:
        metrics, counts = self._metrics, _counts(self._metrics)
        sent, transactional, throttled, retried = (
            now - before for now, before in zip(counts, self._counted, strict=True)
        )
        self._counted = counts
        self._sent.append(sent / seconds)
        self._transactional.append(transactional / seconds)
        return Point(
            at=round(time.time(), 2),
            sent=_mean(self._sent),
            limit=0.0 if metrics.held else round(metrics.rate, 1),
            in_flight=metrics.in_flight,
            throttled=throttled,
            retried=retried,
            transactional=_mean(self._transactional),
        )

    def _publish(self, frame: Frame | None) -> None:
        if self._next is not None:
            self._next.set_result(frame)
            self._next = None


def _counts(metrics: Metrics) -> tuple[int, int, int, int]:
    sent, transactional = metrics.recipients_sent, metrics.transactional_recipients_sent
    return sent, transactional, metrics.outcomes[Throttled], metrics.outcomes[Failed]


def _mean(values: deque[float]) -> float:
    return round(sum(values) / len(values), 1)


def _frame(point: Point, state: Snapshot) -> Frame:
    full, public = ({"point": astuple(point), "state": each} for each in (state, state.public()))
    return Frame(_event("sample", full), _event("sample", public))


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))  # JSON has no line breaks
