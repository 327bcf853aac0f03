"""What the page samples, on the event loop of the daemon."""

import asyncio
import time
from contextlib import suppress

import orjson
import uvloop

from email_consumer.core.metrics import Metrics
from email_consumer.dashboard.sampler import Sampler
from email_consumer.dashboard.snapshot import Snapshot
from email_consumer.runtime.supervisor import Service, supervised
from tests.waiting import turns_of_the_loop


async def _nobody_looks() -> Snapshot:
    raise AssertionError


def test_a_loop_that_was_kept_busy_is_sampled_on() -> None:
    async def scenario() -> int:
        sampler = Sampler(Metrics(), _nobody_looks, interval=0.01)
        sampling = asyncio.create_task(sampler.run())
        points = 0
        while points < 5 and not sampling.done():
            time.sleep(0.03)  # noqa: ASYNC251 - what keeps it busy; uvloop's clock stands still for a millisecond
            for _ in range(5):
                await asyncio.sleep(0)
            points = len(orjson.loads(sampler.history().split(b"data: ")[1]))
        if sampling.done():
            sampling.result()
        sampling.cancel()
        return points

    assert uvloop.run(scenario()) == 5


def test_viewers_get_frames_again_after_a_snapshot_that_failed() -> None:
    async def scenario() -> bytes | None:
        failing = True

        async def snapshot() -> Snapshot:
            if failing:
                raise OSError("too many open files")
            return Snapshot(0, 0, None, None, None, None, ())

        sampler = Sampler(Metrics(), snapshot, interval=0.01)
        with sampler.viewer():
            with suppress(OSError):
                await sampler.run()
            failing = False
            async with supervised(Service("live", sampler.run)):  # as after every crash
                await turns_of_the_loop()
                frame = await sampler.next()
        return frame.full if frame else None

    assert b"event: sample" in (uvloop.run(scenario()) or b"")
