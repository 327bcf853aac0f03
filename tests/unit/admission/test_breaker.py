"""The breaker on a pacer, and on an event loop whose clock only the test moves."""

import asyncio
from collections.abc import Iterator

import pytest

from email_consumer.admission.breaker import Breaker
from email_consumer.admission.pacer import Pacer
from email_consumer.meters import Meters
from email_consumer.outcome import Held, Rejected, Sent
from tests.unit.admission.test_pacer import ManualClock


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=lambda: ManualClock(lambda _: 0.0)) as runner:
        yield runner


def test_held_until_a_probe_goes_through(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(100.0, Meters())
        breaker = Breaker(pacer, first_pause=2.0, longest_pause=60.0)
        breaker.report(Held("credentials expired"))
        breaker.report(Held("credentials expired"))  # of a call that was already under way
        waiting = [asyncio.create_task(pacer.acquire(1)) for _ in range(5)]
        await asyncio.sleep(1.9)
        assert not any(task.done() for task in waiting)
        await asyncio.sleep(0.2)
        assert sum(task.done() for task in waiting) == 1
        breaker.report(Held("credentials expired"))  # the pause is twice as long now
        await asyncio.sleep(3.9)
        assert sum(task.done() for task in waiting) == 1
        await asyncio.sleep(0.2)
        assert sum(task.done() for task in waiting) == 2
        breaker.report(Rejected("not ours"))
        await asyncio.sleep(1)
        assert all(task.result() for task in waiting)

    runner.run(measure())


def test_a_probe_that_never_reaches_ses_is_followed_by_the_next(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(100.0, Meters())
        breaker = Breaker(pacer, first_pause=2.0, longest_pause=60.0)
        breaker.report(Held("credentials expired"))
        waiting = [asyncio.create_task(pacer.acquire(1)) for _ in range(3)]
        await asyncio.sleep(7)  # nobody reports: each had expired, or was a duplicate
        assert all(task.done() for task in waiting)
        assert pacer.held
        breaker.report(Sent("ses-1"))
        assert not pacer.held

    runner.run(measure())
