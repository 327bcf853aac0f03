"""A pacer that is held, wholly or for bulk mail alone."""

import asyncio
from collections.abc import Iterator

import pytest

from email_consumer.core.metrics import Metrics
from email_consumer.message.lane import Lane
from email_consumer.pipeline.pacer import Pacer
from tests.unit.pipeline.manual_clock import ManualClock


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=lambda: ManualClock(lambda _: 0.0)) as runner:
        yield runner


def test_held_queue_releases_one_probe_and_resumes(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(100.0, Metrics())
        pacer.hold("ses", "credentials expired")
        waiting = [asyncio.create_task(pacer.acquire(1)) for _ in range(5)]
        await asyncio.sleep(10)
        assert not any(task.done() for task in waiting)
        assert pacer.held == "credentials expired"
        pacer.probe()
        await asyncio.sleep(1)
        assert [task.done() for task in waiting] == [True, False, False, False, False]
        pacer.hold("account", "sending is paused")
        pacer.probe()
        await asyncio.sleep(1)
        assert sum(task.done() for task in waiting) == 1, "a probe can't lift what another holder holds"
        pacer.resume("account")
        pacer.resume("ses")
        await asyncio.sleep(1)
        assert all(task.result() for task in waiting)

    runner.run(measure())


def test_a_probe_outlives_the_end_of_another_hold(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(100.0, Metrics())
        pacer.hold("ses", "credentials expired")
        pacer.hold("account", "sending is paused")
        waiting = [asyncio.create_task(pacer.acquire(1)) for _ in range(2)]
        pacer.probe()
        pacer.resume("account")
        await asyncio.sleep(1)
        assert sorted(task.done() for task in waiting) == [False, True]
        pacer.close()

    runner.run(measure())


def test_while_held_the_rate_shows_as_0(runner: asyncio.Runner) -> None:
    async def look() -> None:
        metrics = Metrics()
        pacer = Pacer(100.0, metrics)
        assert metrics.rate == 100
        pacer.hold("account", "paused")
        pacer.set_rate(50.0)  # as when the account is looked at meanwhile
        assert (metrics.rate, metrics.held, pacer.rate) == (0, "paused", 50)
        pacer.resume("account")
        assert (metrics.rate, metrics.held) == (50, "")

    runner.run(look())


def test_a_hold_of_bulk_mail_lets_transactional_mail_through(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        metrics = Metrics()
        pacer = Pacer(100.0, metrics)
        bulk = asyncio.create_task(pacer.acquire(1))
        await bulk
        pacer.hold_bulk("account", "the rest of the quota is reserved")
        bulk = asyncio.create_task(pacer.acquire(1))
        assert await pacer.acquire(1, lane=Lane.TRANSACTIONAL)
        await asyncio.sleep(10)
        assert not bulk.done()
        assert (metrics.held, metrics.bulk_held, metrics.rate) == ("", "the rest of the quota is reserved", 100)
        pacer.resume("account")
        assert await bulk
        assert metrics.bulk_held == ""

    runner.run(measure())


def test_a_hold_of_all_mail_and_one_of_bulk_mail_replace_each_other(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(100.0, Metrics())
        pacer.hold_bulk("account", "reserved")
        pacer.hold("account", "used up")
        assert (pacer.held, pacer.bulk_held) == ("used up", "")
        urgent = asyncio.create_task(pacer.acquire(1, lane=Lane.TRANSACTIONAL))
        await asyncio.sleep(1)
        assert not urgent.done()
        pacer.hold_bulk("account", "reserved")
        assert await urgent
        assert (pacer.held, pacer.bulk_held) == ("", "reserved")

    runner.run(measure())


def test_a_probe_that_nobody_took_ends_with_its_hold(runner: asyncio.Runner) -> None:
    async def measure() -> None:
        pacer = Pacer(100.0, Metrics())
        pacer.hold("ses", "credentials expired")
        pacer.probe()
        pacer.resume("ses")
        pacer.hold("ses", "credentials expired again")
        waiting = asyncio.create_task(pacer.acquire(1))
        await asyncio.sleep(10)
        assert not waiting.done()
        pacer.close()
        assert not await waiting

    runner.run(measure())
