"""What the page samples, on the event loop of the daemon."""

import asyncio
import time

import orjson
import uvloop

from email_consumer.core.metrics import Metrics
from email_consumer.dashboard.sampler import Sampler
from email_consumer.dashboard.snapshot import Snapshot


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
