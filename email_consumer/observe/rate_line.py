"""What operators watch: once a second, while there is traffic, one line that says how fast mail goes out."""

import asyncio
from collections import Counter

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Conflict,
    Duplicate,
    Exhausted,
    Failed,
    Outcome,
    Parked,
    Rejected,
    Sent,
    Stopped,
    Throttled,
    Undecodable,
)
from email_consumer.message.lane import Lane
from email_consumer.runtime.ticks import until_tick

_HOLD_INTERVAL = 60.0
"""Seconds between two lines while the queue is held and nothing is sent."""
_DEAD = (Conflict, Exhausted, Parked, Rejected, Undecodable)

_log = structlog.get_logger(__name__)


class RateLine:
    """Turns counts since the start into counts since the last line. While nothing is sent but held, lines are rare."""

    def __init__(self, metrics: Metrics, now: float, interval: float) -> None:
        """`now` is a monotonic time; `interval` in seconds is the least that a line speaks for."""
        self._metrics = metrics
        self._interval = interval
        self._at = now
        self._seen: Counter[type[Outcome]] = metrics.outcomes.copy()
        self._seen_by_lane = metrics.sent_by_lane.copy()
        self._received = metrics.received
        self._busy = False
        self._held = False

    def next(self, now: float) -> dict[str, object] | None:
        """The fields of the next line, rps first; None while nothing happens. The first idle interval still has one."""
        metrics = self._metrics
        sent = metrics.outcomes[Sent] - self._seen[Sent]
        if metrics.held and self._held and not sent and now - self._at < _HOLD_INTERVAL:
            return None
        self._held = bool(metrics.held)
        was_busy, seconds = self._busy, max(now - self._at, self._interval)
        since = {kind: count - self._seen[kind] for kind, count in metrics.outcomes.items()}
        self._busy = bool(any(since.values()) or metrics.received != self._received or metrics.in_flight)
        by_lane = {lane: metrics.sent_by_lane[lane] - self._seen_by_lane[lane] for lane in Lane}
        self._at, self._seen, self._received = now, metrics.outcomes.copy(), metrics.received
        self._seen_by_lane = metrics.sent_by_lane.copy()
        peak, metrics.peak = metrics.peak, 0
        if not (self._busy or was_busy or self._held):
            return None
        fields: dict[str, object] = {
            "rps": round(since.get(Sent, 0) / seconds),
            **{f"rps_{lane}": round(sent / seconds) for lane, sent in by_lane.items()},
            "in_flight": metrics.in_flight,
            "throttled": since.get(Throttled, 0),
            "retried": since.get(Failed, 0),
            "failed": sum(since.get(kind, 0) for kind in _DEAD),
            "rate": round(metrics.rate, 1),
            "peak": peak,
        }
        rare = {
            "stopped": since.get(Stopped),
            "duplicates": since.get(Duplicate),
            "held": metrics.held,
            "bulk_held": metrics.bulk_held,
        }
        return fields | {name: value for name, value in rare.items() if value}


async def report(metrics: Metrics, interval: float = 1.0) -> None:
    """Log the line every `interval` seconds until cancelled, and then once for what was not logged yet."""
    loop = asyncio.get_running_loop()
    line = RateLine(metrics, loop.time(), interval)
    try:
        while True:
            await asyncio.sleep(until_tick(interval))
            _log_line(line.next(loop.time()))
    finally:
        _log_line(line.next(loop.time()))


def _log_line(fields: dict[str, object] | None) -> None:
    if fields is not None:
        _log.info("sending.rate", message=f"Sent per second (RPS): {fields['rps']}", **fields)
