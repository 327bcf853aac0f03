"""`python -m benchmarks.held`: what a held topic costs everybody else.

Other mail is queued without end and sent at the rate: for a while alone; then, with most mails of a topic on hold already in the
store, between the rest of them, which move there, too; and then with all of those stored. Exits non-zero if the rate of the
others falls by a hundredth.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import aiohttp
from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.program import Program
from benchmarks.throughput.contestants import OURS, environment
from benchmarks.usage import fine_cpu_seconds, rss_mb
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports

_KEY = "benchmark"
_TOPIC = "held"
_QUEUE = 10
"""Seconds of other mail that are always queued, about."""
_CHUNK = 50
_AT_ONCE, _LONGEST_QUEUE = 1_000, 10_000
"""Of held mail, while there is nothing else."""
_LOOK = 0.1
_SETTLING = 5
"""Seconds after the first mail that don't count."""
_BOUND = 0.01


@dataclass
class Harness:
    program: Program
    endpoint: Endpoint
    others: Publisher
    held: Publisher
    site: aiohttp.ClientSession
    rate: float
    published: int = 0
    """Other mails."""

    async def publish(self, held_for_each: int = 0) -> None:
        """Another chunk of other mail, and so many held ones for each, once the queue has become short."""
        while self.published - await self.endpoint.count() > self.rate * _QUEUE:
            self.program.check()
            await asyncio.sleep(_LOOK)
        await asyncio.gather(self.others.publish(_CHUNK), self.held.publish(_CHUNK * held_for_each))
        self.published += _CHUNK

    async def store(self, mails: int) -> None:
        """So many held ones, with nothing else in the queue."""
        for number in range(0, mails, _AT_ONCE):
            while await self.held.left() > _LONGEST_QUEUE:
                self.program.check()
                await asyncio.sleep(_LOOK)
            await self.held.publish(min(_AT_ONCE, mails - number))
        while await self.held.left():  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(_LOOK)

    async def stored(self) -> int:
        """Mails in the store that are held."""
        async with self.site.get("/v1/holds", raise_for_status=True) as answer:
            return int((await answer.json())["holds"][0]["mails"])


@asynccontextmanager
async def start_harness(rate: float) -> AsyncIterator[Harness]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with NatsServer(directory / "nats") as server, Endpoint(directory, tls=True, latency=0.03) as endpoint:
            others = await Publisher.connect(server.url)
            held = await Publisher.connect(server.url, topic=_TOPIC, seed=2)
            await others.create_stream(RetentionPolicy.WORK_QUEUE)
            [port] = free_ports(1)
            variables = environment(server.url, endpoint, "held") | {
                "SES_RATE_PER_SEC": str(rate),
                "SERVER_PORT": str(port),
                "API_KEY": _KEY,
            }
            async with (
                Program(directory / "daemon", OURS.command, variables) as program,
                aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers={"X-API-KEY": _KEY}) as site,
            ):
                yield Harness(program, endpoint, others, held, site, rate)
            await others.close()
            await held.close()


class Meter:
    """What happened from its start on."""

    def __init__(self, harness: Harness) -> None:
        self._endpoint, self._pid = harness.endpoint, harness.program.pid

    async def start(self) -> None:
        self._began, self._before, self._cpu = monotonic(), await self._endpoint.count(), fine_cpu_seconds(self._pid)

    @property
    def seconds(self) -> float:
        return monotonic() - self._began

    async def per_second(self) -> float:
        """Other mails."""
        return (await self._endpoint.count() - self._before) / self.seconds

    async def print_row(self, what: str) -> float:
        """Also returns the other mails a second."""
        rate, share = await self.per_second(), (fine_cpu_seconds(self._pid) - self._cpu) / self.seconds
        print(f"| {what} | {rate:.1f}/s | {share:.1%} | {rss_mb(self._pid):.0f} MB |", flush=True)
        return rate


async def run(held: int, mixed: int, rate: float, held_for_each: int, seconds: float) -> bool:
    async with start_harness(rate) as harness:
        whole, part = Meter(harness), Meter(harness)
        while not await harness.endpoint.count():
            await harness.publish()
        await _publish_for(harness, _SETTLING)
        await whole.start()
        await _publish_for(harness, seconds)
        alone = await whole.print_row("no mail is held")

        new = {"key": f"topic:{_TOPIC}", "reason": "benchmark"}
        async with harness.site.post("/v1/holds", json=new, raise_for_status=True):
            pass
        await whole.start()
        await harness.store(held - mixed)
        await whole.print_row(f"{held - mixed:,} moved into the store, in {whole.seconds:.0f} s")
        await _publish_for(harness, _SETTLING)
        await whole.start()
        for number in range(1, 6):
            await part.start()
            for _ in range(0, mixed // 5, _CHUNK * held_for_each):
                await harness.publish(held_for_each)
            await part.print_row(f"{number}/5 of {mixed:,} others published between other mail")
        while (stored := await harness.stored()) < held:
            await _publish_for(harness, _SETTLING)  # counting a million takes the program a while
        while_moving = await whole.print_row(f"while {stored:,} moved into the store")

        await whole.start()
        await _publish_for(harness, seconds)
        afterwards = await whole.print_row(f"with {stored:,} in the store")
    return min(while_moving, afterwards) > (1 - _BOUND) * alone


async def _publish_for(harness: Harness, seconds: float) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        await harness.publish()
        await asyncio.sleep(_CHUNK / harness.rate / 4)  # the queue is filled little by little


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held", type=int, default=1_000_000, help="mails of the held topic")
    parser.add_argument("--mixed", type=int, default=300_000, help="of these, published between other mail")
    parser.add_argument("--rate", type=float, default=500, help="mails a second")
    parser.add_argument("--held-for-each", type=int, default=2, help="held mails that are published for each other one")
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    print("| | other mail | CPU of a core | memory |\n|---|--:|--:|--:|", flush=True)
    with on(BESIDE):
        return 0 if asyncio.run(run(given.held, given.mixed, given.rate, given.held_for_each, given.seconds)) else 1


if __name__ == "__main__":
    sys.exit(main())
