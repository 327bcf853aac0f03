"""Simulated time: workers send at their controls' rates against one token bucket that none of them can read."""

import heapq
import itertools
from dataclasses import dataclass

import pytest

from email_consumer.ses.rate_control import RateControl

LATENCY = 0.03


@dataclass
class TokenBucket:
    """SES's MaxSendRate: a second's worth may come in a burst."""

    rate: float
    tokens: float
    filled_at: float = 0.0

    def take(self, now: float) -> bool:
        self.tokens = min(self.rate, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Tally:
    accepted: int = 0
    throttled: int = 0


def simulate(controls: list[RateControl], limit: float, seconds: float, settled: float = 10.0) -> Tally:
    """Send without a pause; what came of it after `settled` seconds."""
    bucket, tally = TokenBucket(limit, limit), Tally()
    order = itertools.count()
    # (time, order, control, None to send or SES's answer): the workers start a little apart
    events: list[tuple[float, int, RateControl, bool | None]] = []
    for index, control in enumerate(controls):
        heapq.heappush(events, (index * 0.0007, next(order), control, None))
    while True:
        now, _, control, answer = heapq.heappop(events)
        if now >= seconds:
            return tally
        if answer is None:
            taken = bucket.take(now)
            if now >= settled:
                tally.accepted += taken
                tally.throttled += not taken
            heapq.heappush(events, (now + LATENCY, next(order), control, taken))
            heapq.heappush(events, (now + 1 / control.rate(now), next(order), control, None))
        elif answer:
            control.accepted()
        else:
            control.throttled(now)


@pytest.mark.parametrize(
    ("ceiling", "limit", "workers"),
    [
        (500, 200, 1),
        (50, 14, 1),
        (2000, 500, 1),
        (500, 450, 1),
        (100, 99, 1),
        (500, 60, 1),
        (500, 200, 4),
        (200, 50, 4),
        (2000, 500, 4),
    ],
)
def test_an_unknown_limit_is_used_and_hardly_ever_exceeded(ceiling: float, limit: float, workers: int) -> None:
    controls = [RateControl(ceiling / workers) for _ in range(workers)]
    tally = simulate(controls, limit, seconds=70)
    assert tally.throttled <= 0.01 * (tally.accepted + tally.throttled), tally
    assert tally.accepted >= 0.95 * limit * 60, tally


def test_without_throttles_the_ceiling_is_kept() -> None:
    control = RateControl(500)
    tally = simulate([control], limit=520, seconds=20)
    assert tally.throttled == 0
    assert control.rate(20) == 500


def test_one_cut_a_second_and_never_below_a_tenth() -> None:
    control = RateControl(100)
    cuts = [control.throttled(now=step / 10) for step in range(100)]
    assert sum(cuts) == 10
    assert control.rate(9) == 10


def test_a_single_throttle_costs_little() -> None:
    control = RateControl(100)
    for _ in range(500):
        control.accepted()
    control.throttled(now=0)
    assert control.rate(0) == pytest.approx(92)
    assert control.rate(15) == pytest.approx(98)
    assert control.rate(30) == 100


def test_after_a_storm_the_ceiling_is_reached_again_in_about_a_minute() -> None:
    control = RateControl(500)
    for step in range(100):
        control.throttled(now=step / 10)
    assert control.rate(10) < 60
    assert control.rate(10 + 65) == 500
