"""The world itself: what a seed decides repeats, and what is killed stays dead."""

import asyncio
import time
import uuid

import pytest

from tests.simulation.process import Process
from tests.simulation.world import StuckError, World


def _story(seed: int) -> list[str]:
    """Two processes that wait and draw."""
    world, seen = World(seed), list[str]()

    async def work(process: Process) -> None:
        for _ in range(5):
            await asyncio.sleep(world.random.random())
            seen.append(f"{process.name} {time.time():.6f} {time.monotonic():.6f} {uuid.uuid4()}")

    with world.running():
        tasks = [process.spawn(work(process)) for process in (world.process("one"), world.process("two", skew=60.0))]
        world.run(lambda: all(task.done() for task in tasks), limit=100)
    return seen


def test_a_seed_repeats_everything() -> None:
    assert _story(7) == _story(7)
    assert _story(7) != _story(8)


def test_a_killed_process_does_nothing_more() -> None:
    world, seen = World(1), list[str]()

    async def work() -> None:
        try:
            seen.append("began")
            await asyncio.sleep(10)
            seen.append("woke up")
        finally:
            seen.append("ended")

    with world.running():
        process = world.process("one")
        process.spawn(work())
        world.after(5, process.kill)
        world.after(20, seen.append, "later")
        world.run(lambda: "later" in seen, limit=30)
        assert seen == ["began", "later"]
    assert not world.unhandled


def test_a_suspended_machine_loses_time_that_a_stopped_process_notices() -> None:
    world = World(1)
    woke: list[tuple[str, float, float]] = []

    async def work(process: Process) -> None:
        began, began_at = time.monotonic(), time.time()
        await asyncio.sleep(2)
        woke.append((process.name, time.monotonic() - began, time.time() - began_at))

    with world.running():
        stopped, suspended = world.process("stopped"), world.process("suspended")
        for process in (stopped, suspended):
            process.spawn(work(process))
        world.after(1, stopped.pause, 10)
        world.after(1, suspended.suspend, 10)
        world.run(lambda: len(woke) == 2, limit=100)
    assert {name: (round(mine), round(wall)) for name, mine, wall in woke} == {
        "stopped": (11, 11),
        "suspended": (2, 12),
    }


def test_a_world_that_does_not_get_there_says_so() -> None:
    world = World(1)
    with world.running():
        world.process("one").spawn(asyncio.sleep(1))
        with pytest.raises(StuckError, match="after 60 s"):
            world.run(lambda: False, limit=60)
