"""`python -m benchmarks.strangers`: what strangers can do to a daemon with 512 MiB of memory and 1,024 descriptors.

Mail is published at a fixed rate, twice: undisturbed, and while 2,000 hostile connections (idle ones, heads and bodies that
drip, chunks without end) are opened again and again and 42 messages and requests that hold a million values come in, up to
the sizes that NATS and the API take. Exits non-zero if what is promised is missed: at least 99 % of the undisturbed rate,
less than 250 MB at the peak, and no pause of the event loop above 250 ms. The last one wants a machine that does nothing else.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import nats
from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.program import Program, python
from benchmarks.strangers.attackers import Bombs, Crowd
from benchmarks.throughput.contestants import environment
from benchmarks.usage import cpu_seconds, peak_rss_mb
from email_consumer.runtime.tasks import end as end_tasks
from tests.servers.nats import NatsServer

_KEY = "benchmark-of-strangers"
_SETTLING = 3.0
"""Seconds of mail before it counts."""
_TICK = 0.1
_LOOK = 0.05
_SHARE, _MEMORY, _PAUSE = 0.99, 250, 0.25


@dataclass(frozen=True, slots=True)
class Run:
    rate: float
    """Mails a second that the endpoint accepted."""
    waiting: int
    """Mails that waited at the end."""
    cpu: float
    """Share of a core."""
    memory: float
    """MB at the peak."""
    pause: float
    """The longest of the loop, in seconds."""
    cause: str = ""
    """The bomb that was thrown last before."""
    opened: int = 0
    """Connections."""
    not_refused: tuple[str, ...] = ()
    """Bombs, and how they were answered."""


@dataclass(frozen=True, slots=True)
class Harness:
    program: Program
    endpoint: Endpoint
    publisher: Publisher
    stream: Any
    port: int

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.program.log.read_text().splitlines()]


@asynccontextmanager
async def start_harness() -> AsyncIterator[Harness]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with NatsServer(directory / "nats") as server, Endpoint(directory, tls=True, latency=0.03) as endpoint:
            publisher = await Publisher.connect(server.url)
            await publisher.create_stream(RetentionPolicy.WORK_QUEUE)
            client = await nats.connect(server.url)
            variables = environment(server.url, endpoint, "strangers") | {"API_KEY": _KEY}
            try:
                command = python("benchmarks.strangers.confined", "run")
                async with Program(directory / "daemon", command, variables) as program:
                    yield Harness(program, endpoint, publisher, client.jetstream(), await _port(program))
            finally:
                await client.close()
                await publisher.close()


async def _port(program: Program) -> int:
    while True:
        program.check()
        lines = program.log.read_text().splitlines()
        if any("daemon.started" in line for line in lines):
            return next(int(json.loads(line)["port"]) for line in lines if "sidecar.listening" in line)
        await asyncio.sleep(_LOOK)


async def run(rate: int, seconds: float, connections: int, *, bombs: bool) -> Run:
    """One of the two."""
    async with start_harness() as it, asyncio.TaskGroup() as tasks:
        publishing = tasks.create_task(_publish(it.publisher, rate))
        crowd = Crowd(it.port, connections)
        thrower = Bombs(it.stream, f"http://127.0.0.1:{it.port}/v1/messages", _KEY)
        attacking = tasks.create_task(crowd.attack())
        await asyncio.sleep(_SETTLING)
        begin, cpu = monotonic(), cpu_seconds(it.program.pid)
        if bombs:
            await thrower.throw(seconds)
        await asyncio.sleep(max(0.0, begin + seconds - monotonic()))
        end, cpu = monotonic(), cpu_seconds(it.program.pid) - cpu
        it.program.check()
        accepted = (await it.endpoint.arrivals()).accepted
        pauses = [(line["pause"], line["at"]) for line in it.lines() if "pause" in line and line["at"] > begin]
        pause, at = max(pauses, default=(0.0, end))
        result = Run(
            rate=sum(begin <= moment < end for moment in accepted) / (end - begin),
            waiting=await it.publisher.left(),
            cpu=cpu / (end - begin),
            memory=peak_rss_mb(it.program.pid),
            pause=pause,
            cause=thrower.before(at),
            opened=crowd.opened,
            not_refused=tuple(thrower.not_refused),
        )
        await end_tasks(publishing, attacking)
    return result


async def _publish(publisher: Publisher, rate: int) -> None:
    """For ever; what came too late is made up for."""
    began, published = monotonic(), 0
    while True:
        due = int((monotonic() - began) * rate) - published
        await publisher.publish(due)
        published += due
        await asyncio.sleep(_TICK)


def report(alone: Run, attacked: Run) -> bool:
    """Print both beside each other; whether what is promised was kept."""
    share = attacked.rate / alone.rate
    verdicts = [share >= _SHARE, attacked.memory < _MEMORY, attacked.pause <= _PAUSE]
    rate, memory, pause = ("kept" if kept else "MISSED" for kept in verdicts)
    print("| | undisturbed | with strangers | |\n|---|--:|--:|---|")
    print(f"| mails a second | {alone.rate:.1f} | {attacked.rate:.1f} | {share:.1%}, at least {_SHARE:.0%}: {rate} |")
    print(f"| mails that wait at the end | {alone.waiting:,} | {attacked.waiting:,} | |")
    print(f"| peak memory | {alone.memory:.0f} MB | {attacked.memory:.0f} MB | below {_MEMORY} MB: {memory} |")
    longest = f"{alone.pause * 1000:.0f} ms | {attacked.pause * 1000:.0f} ms"
    print(
        f"| longest pause of the loop | {longest} | at most {_PAUSE * 1000:.0f} ms: {pause}; after “{attacked.cause}” |"
    )
    print(f"| share of a core | {alone.cpu:.0%} | {attacked.cpu:.0%} | |")
    print(f"| hostile connections opened | {alone.opened:,} | {attacked.opened:,} | |")
    for bomb in attacked.not_refused:
        print(f"MISSED, not refused: {bomb}")
    return all(verdicts) and not attacked.not_refused


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=100, help="mails published a second")
    parser.add_argument("--seconds", type=float, default=60, help="that count, of each run")
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--short", action="store_true", help="15 seconds each")
    given = parser.parse_args()
    seconds = 15 if given.short else given.seconds
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with on(BESIDE):
        alone = asyncio.run(run(given.rate, seconds, 0, bombs=False))
        attacked = asyncio.run(run(given.rate, seconds, given.connections, bombs=True))
    return 0 if report(alone, attacked) else 1


if __name__ == "__main__":
    sys.exit(main())
