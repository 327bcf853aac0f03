"""What a user with little mail pays, and how long a mail takes.

    python -m benchmarks.usual [--rounds 3] [--baseline PATH] [--only rates]

CPU per mail at 14, 50, 500 and 2,000 mails a second, CPU and memory at rest, CPU of a second start, and the time from
publishing a single mail until its request arrives at the endpoint, compared with FastStream. Over TLS; the endpoint answers
after 30 ms. With `--baseline`, a checkout of another version is measured in turns with this one. Medians of the rounds.
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.program import Program
from benchmarks.throughput.contestants import CONTESTANTS, OURS, Contestant, baseline, environment
from benchmarks.usual.measurements import measure_idle, measure_latency, measure_rate
from tests.servers.nats import NatsServer

RATES = (14, 50, 500, 2000)
FASTSTREAM = next(each for each in CONTESTANTS if each.name == "FastStream + aioboto3, tuned")
_ROWS = (
    "start, CPU ms",
    "idle, % of a core",
    "idle, MB",
    *(f"{rate}/s, µs a mail" for rate in RATES),
    "p50, ms",
    "p99, ms",
)


@dataclass
class Harness:
    """The servers that all programs use in turns."""

    directory: Path
    server: NatsServer
    endpoint: Endpoint
    publisher: Publisher
    found: dict[tuple[str, Contestant], list[float]] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, contestant: Contestant) -> AsyncIterator[Program]:
        """The program on a stream of its own, in a directory that its next round finds again."""
        await self.publisher.create_stream(RetentionPolicy.LIMITS)
        variables = environment(self.server.url, self.endpoint, "usual") | contestant.variables
        directory = self.directory / f"{abs(hash(contestant.name))}"
        try:
            async with Program(directory, contestant.command, variables) as program:
                yield program
        finally:
            await self.publisher.delete_stream()

    def note(self, row: str, contestant: Contestant, value: float) -> None:
        self.found.setdefault((row, contestant), []).append(value)


async def measure(contestants: list[Contestant], options: argparse.Namespace) -> Harness:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with NatsServer(directory / "nats") as server, Endpoint(directory, tls=True, latency=0.03) as endpoint:
            publisher = await Publisher.connect(server.url, 1_000)
            harness = Harness(directory / "programs", server, endpoint, publisher)
            for round_ in range(options.rounds + 1):
                for contestant in contestants:
                    async with harness.running(contestant) as program:
                        await one_round(harness, program, contestant, options, counts=round_ > 0)
            await publisher.close()
    return harness


async def one_round(
    harness: Harness, program: Program, contestant: Contestant, options: argparse.Namespace, *, counts: bool
) -> None:
    """The first round does not count: it creates the files that a second start finds."""
    idle = await measure_idle(program, harness.endpoint, harness.publisher, options.idle if counts else 0)
    if not counts:
        return
    for row, value in zip(_ROWS, (idle.start_cpu * 1000, idle.share * 100, idle.rss_mb), strict=False):
        harness.note(row, contestant, value)
    for rate in RATES:
        if "rates" in options.only:
            used = await measure_rate(program, harness.endpoint, harness.publisher, rate=rate, seconds=options.seconds)
            harness.note(f"{rate}/s, µs a mail", contestant, used)
    if "latency" in options.only:
        latency = await measure_latency(program, harness.endpoint, harness.publisher, options.mails)
        harness.note("p50, ms", contestant, latency.p50)
        harness.note("p99, ms", contestant, latency.p99)


def print_table(harness: Harness, contestants: list[Contestant]) -> None:
    first, *others = contestants
    print(
        "| | "
        + " | ".join(each.name for each in contestants)
        + " | "
        + " | ".join(f"ours / {each.name}" for each in others)
        + " | rounds of ours |"
    )
    print("|---|" + "--:|" * (len(contestants) + len(others)) + "---|")
    for row in _ROWS:
        values = [median(harness.found[row, each]) for each in contestants if (row, each) in harness.found]
        if not values:
            continue
        ratios = [f"{values[0] / value:.2f}" for value in values[1:]]
        rounds = " ".join(f"{value:.4g}" for value in harness.found[row, first])
        print(f"| {row} | " + " | ".join([*(f"{value:.4g}" for value in values), *ratios, rounds]) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="at each rate")
    parser.add_argument("--idle", type=float, default=20, help="seconds at rest")
    parser.add_argument("--mails", type=int, default=300, help="single mails whose latency is measured")
    parser.add_argument("--baseline", type=Path, help="a checkout of another version of this program that takes part")
    parser.add_argument("--only", default="rates,latency", help="idle and start, which are always measured, and these")
    options = parser.parse_args()
    contestants = [OURS, *([baseline(options.baseline.resolve())] if options.baseline else []), FASTSTREAM]
    with on(BESIDE):
        harness = asyncio.run(measure(contestants, options))
    print_table(harness, contestants)


if __name__ == "__main__":
    main()
