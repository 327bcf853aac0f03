"""How many events a webhook endpoint gets a second, and what one costs.

    python -m benchmarks.webhooks [--mails 20000] [--seconds 5] [--rate 1000] [--latency 0] [--baseline CHECKOUT]

One endpoint wants all events, and answers after `latency` seconds. First, a backlog: the mails were sent, and only webhooks are
left to do. Then mails at a fixed rate, one event each: whether the endpoint keeps up, and the daemon's share of its core.
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import aiohttp
from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.program import Program
from benchmarks.throughput.contestants import OURS, Contestant, baseline, environment
from benchmarks.usage import cpu_seconds
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports

_KEY = "benchmark"
_LOOK = 0.05
_WARM_UP = 2.0


@dataclass(frozen=True, slots=True)
class Harness:
    program: Program
    ses: Endpoint
    receiver: Endpoint
    """Of the webhooks."""

    async def wait(self, counted: Endpoint, count: int) -> None:
        """Until it has got so many requests."""
        while await counted.count() < count:
            self.program.check()
            await asyncio.sleep(_LOOK)


@asynccontextmanager
async def start_harness(
    contestant: Contestant, *, mails: int, latency: float, rate: float = 100_000
) -> AsyncIterator[Harness]:
    """The daemon, with so many mails waiting and the webhook's endpoint known before the first is sent."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ses, receiver = Endpoint(directory, tls=True, latency=0.03), Endpoint(directory, latency=latency)
        async with NatsServer(directory / "nats") as server, ses, receiver:
            publisher = await Publisher.connect(server.url)
            await publisher.create_stream(RetentionPolicy.WORK_QUEUE)
            [port] = free_ports(1)
            variables = environment(server.url, ses, "webhooks") | {
                "EVENTS_OUT": "webhooks",
                "WEBHOOK_ALLOW_PRIVATE": "true",
                "SES_RATE_PER_SEC": str(rate),
                "API_KEY": _KEY,
                "SERVER_PORT": str(port),
            }
            async with Program(directory / "daemon", contestant.command, variables | contestant.variables) as program:
                await _add_endpoint(f"http://127.0.0.1:{port}", receiver, program)
                await publisher.publish(mails)
                yield Harness(program, ses, receiver)
            await publisher.close()


async def _add_endpoint(site: str, receiver: Endpoint, program: Program) -> None:
    async with aiohttp.ClientSession(site, headers={"X-API-KEY": _KEY}) as session:
        while True:
            try:
                async with session.post("/v1/webhooks", json={"url": f"{receiver.url}/hook"}) as answer:
                    answer.raise_for_status()
                    return
            except aiohttp.ClientConnectionError:
                program.check()
                await asyncio.sleep(_LOOK)


async def backlog(contestant: Contestant, options: argparse.Namespace) -> str:
    """Events per second and CPU per event while nothing else is to be done."""
    async with start_harness(contestant, mails=options.mails, latency=options.latency) as harness:
        await harness.wait(harness.ses, options.mails)
        await asyncio.sleep(_WARM_UP)
        first, began, cpu = await harness.receiver.count(), monotonic(), cpu_seconds(harness.program.pid)
        count = first
        while monotonic() < began + options.seconds and count < options.mails * 0.95:
            await asyncio.sleep(_LOOK)
            count = await harness.receiver.count()
        events, took = count - first, monotonic() - began
        if not events:
            return f"none left: all {count:,} events came while mail was sent | ?"
        return f"{events / took:,.0f} | {(cpu_seconds(harness.program.pid) - cpu) / events * 1e6:.0f} µs"


async def keeping_up(contestant: Contestant, options: argparse.Namespace) -> str:
    """Mails a second, the daemon's share of a core, and how many events wait at the end."""
    mails = int(options.rate * (options.seconds + _WARM_UP) * 1.5)
    async with start_harness(contestant, mails=mails, latency=options.latency, rate=options.rate) as harness:
        await harness.wait(harness.ses, 1)
        await asyncio.sleep(_WARM_UP)
        first, began, cpu = await harness.ses.count(), monotonic(), cpu_seconds(harness.program.pid)
        await asyncio.sleep(options.seconds)
        sent, received = await harness.ses.count(), await harness.receiver.count()
        took = monotonic() - began
        share = (cpu_seconds(harness.program.pid) - cpu) / took
        return f"{(sent - first) / took:,.0f} | {share:.0%} | {sent - received:,}"


async def run(options: argparse.Namespace) -> None:
    contestants = [OURS, *([baseline(options.baseline)] if options.baseline else [])]
    print("| | backlog: events/s | CPU per event | mails/s | of a core | events that wait |\n|---|--:|--:|--:|--:|--:|")
    for contestant in contestants:
        cells = [await backlog(contestant, options), await keeping_up(contestant, options)]
        print(f"| {contestant.name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=20_000, help="of the backlog")
    parser.add_argument("--seconds", type=float, default=5, help="how long the daemon is watched each time")
    parser.add_argument("--rate", type=float, default=1_000, help="mails a second, in the second part")
    parser.add_argument("--latency", type=float, default=0, help="seconds until the webhook's endpoint answers")
    parser.add_argument("--baseline", type=Path, help="a checkout of another version, measured too")
    options = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}: the program under test has a core to itself.", flush=True)
    with on(BESIDE):
        asyncio.run(run(options))


if __name__ == "__main__":
    main()
