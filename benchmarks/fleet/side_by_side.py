"""One worker, and two side by side: mails per CPU second of the workers, and what a mail costs everyone else.

Two cores don't hold two workers, a nats-server, a sidecar and the endpoint at full speed, and processes that fight for a
core cost more. So each worker has a rate that leaves room, and each process's CPU is counted: two workers that get through
as many mails per CPU second as one would, on two cores of their own, send twice as much.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from nats.js.api import RetentionPolicy

from benchmarks.endpoint.process import Endpoint
from benchmarks.fleet.harness import start_harness
from benchmarks.mails import Publisher
from benchmarks.throughput.contestants import environment
from benchmarks.usage import cpu_seconds
from tests.servers.daemon import Daemon
from tests.servers.nats import NatsServer

_WARM_UP = 2.5
"""Seconds from the first mail on that don't count: connections open, caches fill."""
_LOOK = 0.05
_MARGIN = 5
"""Seconds' worth of mail that is left at the end: it isn't like the middle."""
_PROMISED = 1.8
_RUN = "run, SQLite"

Processes = Mapping[str, list[int]]
"""Their pids, by the part that they play."""


@dataclass(frozen=True, slots=True)
class Sample:
    mails: float
    """A second."""
    cpu_us: Mapping[str, float]
    """Per mail, by part."""

    @property
    def mails_per_cpu_second(self) -> float:
        return 1e6 / self.cpu_us["worker"]


async def measure(endpoint: Endpoint, processes: Processes, seconds: float) -> Sample:
    while not await endpoint.count():  # noqa: ASYNC110 - only asking tells
        await asyncio.sleep(_LOOK)
    await asyncio.sleep(_WARM_UP)
    first, began, before = await endpoint.count(), monotonic(), _cpu(processes)
    await asyncio.sleep(seconds)
    mails, after = await endpoint.count() - first, _cpu(processes)
    return Sample(
        mails / (monotonic() - began), {part: (after[part] - before[part]) / mails * 1e6 for part in processes}
    )


def _cpu(processes: Processes) -> dict[str, float]:
    return {part: sum(map(cpu_seconds, pids)) for part, pids in processes.items()}


@asynccontextmanager
async def _fleet(workers: int, mails: int, rate: float) -> AsyncIterator[tuple[Endpoint, Processes]]:
    async with start_harness(mails=workers * mails, workers=workers, rate=workers * rate) as running:
        fleet = running.fleet
        for each in fleet.workers:
            await each.wait_until(lambda each=each: _sees(each, workers))  # type: ignore[misc]
        yield (
            running.endpoint,
            {
                "worker": [each.pid for each in fleet.workers],
                "nats-server": [running.nats.pid],
                "sidecar": [fleet.sidecar.pid],
                "endpoint": [running.endpoint.pid],
            },
        )


def _sees(worker: Daemon, workers: int) -> bool:
    return any(line.get("event") == "cluster.workers" and line["workers"] == workers for line in worker.log)


@asynccontextmanager
async def _run(mails: int, rate: float) -> AsyncIterator[tuple[Endpoint, Processes]]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        endpoint = Endpoint(directory, tls=True, latency=0.03)
        async with NatsServer(directory / "nats") as server, endpoint:
            publisher = await Publisher.connect(server.url)
            await publisher.create_stream(RetentionPolicy.WORK_QUEUE)
            await publisher.publish(mails)
            variables = environment(server.url, endpoint, "run") | {"SES_RATE_PER_SEC": str(rate)}
            async with Daemon(directory / "daemon", variables) as daemon:
                yield (
                    endpoint,
                    {"worker": [daemon.pid], "nats-server": [server.pid], "sidecar": [], "endpoint": [endpoint.pid]},
                )
            await publisher.close()


async def table(rate: float, seconds: float) -> bool:
    mails = round(rate * (seconds + _WARM_UP + _MARGIN))
    print(
        f"\n| CPU per mail, µs, at {rate:g}/s each | worker | nats-server | sidecar | endpoint | mails/s "
        "| mails per CPU s of the workers |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
    harnesses = {_RUN: _run(mails, rate), "1 worker": _fleet(1, mails, rate), "2 workers": _fleet(2, mails, rate)}
    found = {}
    for name, running in harnesses.items():
        async with running as (endpoint, processes):
            found[name] = sample = await measure(endpoint, processes, seconds)
        costs = " | ".join(f"{cost:.0f}" for cost in sample.cpu_us.values())
        print(f"| {name} | {costs} | {sample.mails:,.0f} | {sample.mails_per_cpu_second:,.0f} |", flush=True)
    gain = 2 * found["2 workers"].mails_per_cpu_second / found["1 worker"].mails_per_cpu_second
    kept = gain >= _PROMISED
    print(
        f"\ntwo workers on two cores of their own: {gain:.2f} times the mails of one ({'kept' if kept else 'MISSED'})"
    )
    return kept
