"""Services with the same interval wake up at the same moments."""

import asyncio

import pytest

from email_consumer.runtime.ticks import until_tick


@pytest.mark.parametrize(
    ("now", "interval", "pause"),
    [
        (100.0, 1.0, 1.0),
        (100.25, 1.0, 0.75),
        (100.5, 1.0, 0.5),
        (100.75, 1.0, 1.25),  # the next one would come right after the service has begun
        (100.75, 0.5, 0.25),
        (103.0, 5.0, 7.0),
        (102.0, 5.0, 3.0),
    ],
)
async def test_a_tick_is_a_multiple_of_the_interval(
    monkeypatch: pytest.MonkeyPatch, now: float, interval: float, pause: float
) -> None:
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", lambda: now)
        found = until_tick(interval)
    assert found == pytest.approx(pause)
    assert ((now + found) / interval).is_integer()


async def test_a_timer_that_fires_a_little_early_or_late_does_not_repeat_or_skip_a_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        for now, tick in ((99.999, 101.0), (100.0, 101.0), (100.001, 101.0), (100.3, 101.0)):
            patch.setattr(loop, "time", lambda now=now: now)
            assert now + until_tick(1.0) == pytest.approx(tick)
