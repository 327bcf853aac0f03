"""`python -m benchmarks.strangers.confined run`: the daemon as it comes, in a small place, and how long its loop stands still.

A line on stdout for each pause worth speaking of: when it ended, by the machine's monotonic clock, and how long it was.
"""

import asyncio
import json
import resource
from time import monotonic

from email_consumer.cli import main
from email_consumer.core.metrics import Metrics
from email_consumer.observe import loop_lag

MEMORY = 512 * 2**20
"""Bytes of private memory that it may ask for, touched or not: stricter than a container's limit, which counts what is touched."""
DESCRIPTORS = 1_024
_TICK = 0.005
_WORTH_A_LINE = 0.01

_as_it_comes = loop_lag.measure


async def measure(metrics: Metrics) -> None:
    await asyncio.gather(_as_it_comes(metrics), _print_pauses())


async def _print_pauses() -> None:
    before = monotonic()
    while True:
        await asyncio.sleep(_TICK)
        now = monotonic()
        pause = now - before - _TICK
        before = now
        if pause > _WORTH_A_LINE:
            print(json.dumps({"pause": pause, "at": now}), flush=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    loop_lag.measure = measure  # type: ignore[assignment]
    main()
