"""What is measured of one program at a usual rate, at rest, at its start, and of a single mail."""

import asyncio
import random
from dataclasses import dataclass
from statistics import quantiles
from time import monotonic

from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.program import Program
from benchmarks.usage import fine_cpu_seconds, rss_mb

_LOOK = 0.05
_TICK = 0.01
"""Seconds between two publications, at least; faster rates publish several at once."""
_SETTLED = 3.0
"""Seconds after the first mail, or after the start, that don't count: connections open, caches fill."""
_PAUSE = (0.04, 0.12)
"""Seconds from one single mail to the next, by chance: no timer of a program may beat in time with it."""


@dataclass(frozen=True, slots=True)
class Idle:
    start_cpu: float
    """Seconds of CPU from the start of the process until it had sent its first mail."""
    share: float
    """Of one core, with nothing to do."""
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Latency:
    """From the call that publishes a mail until its request has arrived at the endpoint, in milliseconds."""

    p50: float
    p99: float


async def first_mail(program: Program, endpoint: Endpoint, publisher: Publisher) -> None:
    """Publish one, and return once it was sent: the program is surely ready."""
    before = await endpoint.count()
    await publisher.publish(1)
    await _until(program, endpoint, before + 1)


async def measure_idle(program: Program, endpoint: Endpoint, publisher: Publisher, seconds: float) -> Idle:
    """Of a program that was just started; `seconds` at rest."""
    await first_mail(program, endpoint, publisher)
    start = fine_cpu_seconds(program.pid)
    await asyncio.sleep(_SETTLED)
    cpu, began = fine_cpu_seconds(program.pid), monotonic()
    await asyncio.sleep(seconds)
    program.check()
    return Idle(start, (fine_cpu_seconds(program.pid) - cpu) / (monotonic() - began), rss_mb(program.pid))


async def measure_rate(
    program: Program, endpoint: Endpoint, publisher: Publisher, *, rate: float, seconds: float
) -> float:
    """Microseconds of CPU a mail while mail comes at that rate, for so many seconds; idle work counts."""
    before = await endpoint.count()
    async with asyncio.TaskGroup() as tasks:
        steady = tasks.create_task(_publish_steadily(publisher, rate, _SETTLED + seconds))
        await asyncio.sleep(_SETTLED)
        first, cpu = await endpoint.count(), fine_cpu_seconds(program.pid)
        await asyncio.sleep(seconds)
        mails, spent = await endpoint.count() - first, fine_cpu_seconds(program.pid) - cpu
        published = await steady
    await _until(program, endpoint, before + published)
    return spent / mails * 1e6


async def measure_latency(program: Program, endpoint: Endpoint, publisher: Publisher, mails: int) -> Latency:
    """Of single mails, each published while nothing else is there."""
    chance = random.Random(1)
    earlier = await endpoint.count()
    published = []
    for _ in range(mails):
        await asyncio.sleep(chance.uniform(*_PAUSE))
        published.append(monotonic())
        await publisher.publish(1)
    await _until(program, endpoint, earlier + mails)
    arrived = (await endpoint.arrivals()).accepted[earlier:]
    taken = [(end - begin) * 1000 for begin, end in zip(published, arrived, strict=True)]
    cuts = quantiles(taken, n=100, method="inclusive")
    return Latency(cuts[49], cuts[98])


async def _publish_steadily(publisher: Publisher, rate: float, seconds: float) -> int:
    began, sent = monotonic(), 0
    while (passed := monotonic() - began) < seconds:
        due = int(passed * rate) + 1
        await publisher.publish(due - sent)
        sent = due
        await asyncio.sleep(max(_TICK, sent / rate - (monotonic() - began)))
    return sent


async def _until(program: Program, endpoint: Endpoint, count: int) -> None:
    while await endpoint.count() < count:
        program.check()
        await asyncio.sleep(_LOOK)
