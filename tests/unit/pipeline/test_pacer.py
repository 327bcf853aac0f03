"""The pacer on an event loop whose clock only the test moves."""

import asyncio
import random
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from email_consumer.core.metrics import Metrics
from email_consumer.message.lane import Lane
from email_consumer.pipeline.pacer import Pacer
from tests.unit.pipeline.manual_clock import ManualClock

_ROUNDING = 1e-9
"""Seconds."""


def released(
    rate: float, seconds: float, *, lateness: Callable[[float], float] = lambda _: 0.0, weights: tuple[int, ...] = (1,)
) -> list[float]:
    """The release time of each recipient, while more wait than may go."""

    async def measure() -> list[float]:
        pacer = Pacer(rate, Metrics())
        loop = asyncio.get_running_loop()
        times: list[float] = []

        async def sender(recipients: int) -> None:
            while await pacer.acquire(recipients):
                times.extend([loop.time()] * recipients)

        async with asyncio.TaskGroup() as senders:
            for index in range(200):
                senders.create_task(sender(weights[index % len(weights)]))
            await asyncio.sleep(seconds)
            pacer.close()
        return times

    with asyncio.Runner(loop_factory=lambda: ManualClock(lateness)) as runner:
        return runner.run(measure())


def most_in_a_second(times: list[float]) -> int:
    most = start = 0
    for end, time in enumerate(times):
        while times[start] <= time - 1 + _ROUNDING:
            start += 1
        most = max(most, end - start + 1)
    return most


@pytest.fixture(params=[14.0, 50.0, 500.0, 2000.0])
def rate(request: pytest.FixtureRequest) -> float:
    return float(request.param)


def allowed(rate: float) -> float:
    return rate + max(1, rate / 100)


def test_keeps_rate_and_cap_on_a_punctual_clock(rate: float) -> None:
    times = released(rate, 10)
    assert len(times) >= 0.995 * rate * 10
    assert most_in_a_second(times) <= allowed(rate)


def test_first_second_starts_without_a_burst(rate: float) -> None:
    first = [time for time in released(rate, 3) if time < 1001]
    assert len(first) <= allowed(rate)


@pytest.mark.parametrize("seed", range(5))
def test_makes_good_what_late_timers_lost_without_exceeding(rate: float, seed: int) -> None:
    chance = random.Random(seed)
    stalls = [(1000 + second + chance.random(), 0.03 * chance.random()) for second in range(25)]

    def lateness(when: float) -> float:  # as on a busy machine: under a millisecond, and once a second a stall
        ends = [start + length for start, length in stalls if start <= when < start + length]
        return max(ends, default=when) - when + 0.001 * chance.random()

    times = released(rate, 20, lateness=lateness)
    assert len(times) >= 0.995 * rate * 20
    assert most_in_a_second(times) <= allowed(rate)


def late_once(seconds: float) -> Callable[[float], float]:
    """A loop that stands still two seconds after the start."""
    over: list[float] = []

    def lateness(when: float) -> float:
        if when < 1002 or over:
            return 0.0
        over.append(when)
        return seconds

    return lateness


def test_what_a_standstill_delayed_is_caught_up_evenly(rate: float) -> None:
    """All at once it would leave a pause of the same length a second later, in which not even a password reset goes out."""
    times = released(rate, 40, lateness=late_once(0.24))
    after = [time for time in times if time > 1002.25]
    assert max(later - earlier for earlier, later in pairwise(after)) <= 1 / rate + 0.02
    assert len(times) >= rate * 40 - 2
    assert most_in_a_second(times) <= allowed(rate)


def test_a_long_standstill_is_not_made_good() -> None:
    times = released(50.0, 110, lateness=late_once(10))
    assert 50 * 100 - 5 <= len(times) <= 50 * 100 + 50 * 0.25 + 5


def test_weighs_by_recipients(rate: float) -> None:
    times = released(rate, 10, weights=(1, 2, 3))
    assert len(times) >= 0.98 * rate * 10
    assert most_in_a_second(times) <= allowed(rate)


def test_a_mail_with_more_recipients_than_the_rate_goes_out_alone() -> None:
    times = released(5.0, 29, weights=(50,))
    assert len(times) == 150
    assert most_in_a_second(times) == 50


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=lambda: ManualClock(lambda _: 0.0)) as runner:
        yield runner


def test_idle_time_is_not_made_good(runner: asyncio.Runner) -> None:
    async def measure() -> list[float]:
        pacer = Pacer(10.0, Metrics())
        loop = asyncio.get_running_loop()
        times = []
        for _ in range(3):
            await asyncio.sleep(5)
            for _ in range(5):
                assert await pacer.acquire(1)
                times.append(loop.time())
        return times

    times = runner.run(measure())
    assert all(later - earlier >= 0.099 for earlier, later in pairwise(times))


def test_a_cancelled_waiter_leaves_its_turn_to_the_next(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(1.0, Metrics())
        assert await pacer.acquire(1)
        gone = asyncio.create_task(pacer.acquire(1))
        stays = asyncio.create_task(pacer.acquire(1))
        await asyncio.sleep(0.5)
        gone.cancel()
        await asyncio.sleep(0.75)
        assert stays.done()
        assert gone.cancelled()

    runner.run(measure())


def test_closing_sends_everyone_away(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(1.0, Metrics())
        waiting = [asyncio.create_task(pacer.acquire(1)) for _ in range(3)]
        await asyncio.sleep(0)
        pacer.close()
        assert [await task for task in waiting] == [True, False, False]
        assert not await pacer.acquire(1)

    runner.run(measure())


@pytest.mark.parametrize("held", [False, True])
def test_who_is_stopped_leaves_and_takes_nobodys_turn(runner: asyncio.Runner, held: bool) -> None:
    async def measure() -> None:
        pacer = Pacer(1.0, Metrics())
        assert await pacer.acquire(1)
        if held:
            pacer.hold("test", "for a while")
        stopped = asyncio.Event()
        waiting = [
            asyncio.create_task(pacer.acquire(1, check)) for check in (stopped.is_set, stopped.is_set, lambda: 0)
        ]
        await asyncio.sleep(0)
        stopped.set()
        pacer.drop_stopped()
        assert [await task for task in waiting[:2]] == [False, False]
        assert len(list(pacer._waiting)) == 1, "they take no memory either"
        pacer.resume("test")
        await asyncio.sleep(1.01)
        assert waiting[2].done()

    runner.run(measure())


def test_peak_is_the_fullest_sliding_second(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        metrics = Metrics()
        pacer = Pacer(100.0, metrics)
        for _ in range(250):
            assert await pacer.acquire(1)
        assert 100 <= metrics.peak <= 101
        await asyncio.sleep(5)
        metrics.peak = 0
        assert await pacer.acquire(1)
        assert metrics.peak == 1

    runner.run(measure())


def test_transactional_mail_waits_for_its_turn_of_the_rate_and_for_no_bulk_mail(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(50.0, Metrics())
        loop = asyncio.get_running_loop()
        bulk = [asyncio.create_task(pacer.acquire(1)) for _ in range(1_000)]
        waits: list[float] = []
        for _ in range(20):
            await asyncio.sleep(0.317)
            began = loop.time()
            assert await pacer.acquire(1, lane=Lane.TRANSACTIONAL)
            waits.append(loop.time() - began)
        assert max(waits) <= 1 / 50 + 0.005
        # Together they kept the rate: the schedule has no gaps, nor more than its due.
        assert 50 * 20 * 0.317 - 2 <= 20 + sum(task.done() for task in bulk) <= 50 * 20 * 0.34 + 2
        pacer.close()
        await asyncio.gather(*bulk)

    runner.run(measure())


def test_a_new_rate_applies_at_once_also_to_those_who_wait(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        metrics = Metrics()
        pacer = Pacer(2.0, metrics)
        loop, times = asyncio.get_running_loop(), []

        async def sender() -> None:
            while await pacer.acquire(1):
                times.append(loop.time())

        senders = [asyncio.create_task(sender()) for _ in range(200)]
        for rate, within in ((2.0, 10.05), (50.0, 10.05), (2.0, 10.05)):
            pacer.set_rate(rate)
            assert metrics.rate == rate
            times.clear()
            await asyncio.sleep(within)
            assert rate * 10 - 2 <= len(times) <= rate * 10 + 2
        pacer.close()
        await asyncio.gather(*senders)

    runner.run(measure())


def test_what_is_owed_for_a_large_mail_is_owed_at_the_new_rate(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(1.0, Metrics())
        assert await pacer.acquire(50)
        waiting = asyncio.create_task(pacer.acquire(1))
        await asyncio.sleep(10)
        pacer.set_rate(100.0)
        await asyncio.sleep(0.39)
        assert not waiting.done()
        await asyncio.sleep(0.02)
        assert waiting.done(), "40 recipients at 100 a second, not at 1"

    runner.run(measure())


def test_transactional_mail_does_not_wait_for_the_room_that_a_large_bulk_mail_needs(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(10.0, Metrics())
        loop = asyncio.get_running_loop()
        assert await pacer.acquire(5)
        due = loop.time() + 0.5
        large = asyncio.create_task(pacer.acquire(10))  # whose second has room once the first mail's is over
        await asyncio.sleep(0.1)
        assert await pacer.acquire(1, lane=Lane.TRANSACTIONAL)
        assert due <= loop.time() < due + 0.01
        assert await large

    runner.run(measure())
