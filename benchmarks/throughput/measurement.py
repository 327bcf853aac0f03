"""One program, a queue that is full, and a few seconds in the middle of its work."""

import asyncio
from dataclasses import dataclass
from statistics import median
from time import monotonic

from benchmarks.endpoint.process import Endpoint
from benchmarks.program import Program
from benchmarks.usage import cpu_seconds, peak_rss_mb

_WARM_UP = 2.5
"""Seconds from the first mail on that don't count: connections open, caches fill."""
_LOOK = 0.05
"""Seconds between two looks at the endpoint's counter."""
_USABLE = 0.9
"""Share of the queue that is worked off at the most: its end is not like its middle."""


@dataclass(frozen=True, slots=True)
class Sample:
    cpu_us: float
    """User and system CPU per accepted mail, in microseconds, all threads."""
    rate: float
    """Mails a second."""
    rss_mb: float
    """The most memory that was resident since its start."""


async def measure(program: Program, endpoint: Endpoint, *, queued: int, seconds: float) -> Sample:
    """Watch the program for so many seconds; it was just started, and `queued` mails wait for it."""
    before = await endpoint.count()
    last = before + queued * _USABLE
    while await endpoint.count() == before:
        program.check()
        await asyncio.sleep(_LOOK)
    await asyncio.sleep(_WARM_UP)
    first, began, cpu = await endpoint.count(), monotonic(), cpu_seconds(program.pid)
    count = first
    while monotonic() < began + seconds and count < last:
        program.check()
        await asyncio.sleep(_LOOK)
        count = await endpoint.count()
    mails = count - first
    return Sample(
        (cpu_seconds(program.pid) - cpu) / mails * 1e6, mails / (monotonic() - began), peak_rss_mb(program.pid)
    )


def medians(samples: list[Sample]) -> Sample:
    """Each number's own median."""
    return Sample(
        median(sample.cpu_us for sample in samples),
        median(sample.rate for sample in samples),
        median(sample.rss_mb for sample in samples),
    )
