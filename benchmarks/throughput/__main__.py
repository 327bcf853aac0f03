"""`python -m benchmarks.throughput`: prints a table for each condition; the last column is CPU as a multiple of ours."""

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, UNDER_TEST, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.program import Program
from benchmarks.throughput.chart import write_chart
from benchmarks.throughput.contestants import CONTESTANTS, OURS, Contestant, anchor, baseline, environment
from benchmarks.throughput.measurement import Sample, measure, medians
from tests.servers.nats import NatsServer


@dataclass(frozen=True, slots=True)
class Condition:
    latency: float
    """Seconds."""
    tls: bool
    body: int
    """Bytes of HTML."""

    def __str__(self) -> str:
        return f"{self.latency * 1000:g} ms, {'TLS' if self.tls else 'no TLS'}, {self.body / 1000:g} KB"


CONDITIONS = [Condition(*values) for values in product((0.03, 0.0), (True, False), (1_000, 10_000))]
HEADLINE = CONDITIONS[0]
_ANCHOR = "the earlier Rust consumer"


async def contest(
    condition: Condition, contestants: list[Contestant], options: argparse.Namespace
) -> dict[Contestant, Sample]:
    """All rounds of one condition. Rounds take turns, so that a busy moment of the machine hits everyone alike."""
    samples: dict[Contestant, list[Sample]] = {contestant: [] for contestant in contestants}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        endpoint = Endpoint(directory, tls=condition.tls, latency=condition.latency)
        async with NatsServer(directory / "nats") as server, endpoint:
            publisher = await Publisher.connect(server.url, condition.body)
            # Kept after acknowledgement: every program finds the same full queue.
            await publisher.create_stream(RetentionPolicy.LIMITS)
            await publisher.publish(options.mails)
            for number, contestant in product(range(options.rounds), contestants):
                run = f"{contestants.index(contestant)}-{number}"
                variables = environment(server.url, endpoint, f"run-{run}") | contestant.variables
                async with Program(directory / run, contestant.command, variables) as program:
                    sample = await measure(program, endpoint, queued=options.mails, seconds=options.seconds)
                samples[contestant].append(sample)
            await publisher.close()
    return {contestant: medians(taken) for contestant, taken in samples.items()}


def print_table(condition: Condition, results: dict[Contestant, Sample]) -> None:
    print(f"\n| {condition} | CPU per mail | mails/s | peak memory | CPU, ours = 1 |\n|---|--:|--:|--:|--:|")
    ours = results.get(OURS)
    for contestant, sample in results.items():
        ratio = f"{sample.cpu_us / ours.cpu_us:.1f}" if ours else ""
        print(
            f"| {contestant.name} | {sample.cpu_us:.0f} µs | {sample.rate:,.0f} | {sample.rss_mb:.0f} MB | {ratio} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="how long each program is watched in each round")
    parser.add_argument("--mails", type=int, default=60_000, help="how many wait in the queue")
    parser.add_argument("--condition", default="", help=f"only those whose name holds this, such as {str(HEADLINE)!r}")
    parser.add_argument("--who", default="", help="only programs whose name holds this")
    parser.add_argument("--chart", type=Path, help=f"write the chart of {str(HEADLINE)!r} to this SVG file")
    parser.add_argument("--baseline", type=Path, help="a checkout of another version of this program that takes part")
    parser.add_argument("--anchor", type=Path, help=f"the binary of {_ANCHOR}, or one that takes its variables")
    options = parser.parse_args()
    print(f"The program under test has core {UNDER_TEST} to itself, everything else runs on {BESIDE}.", flush=True)
    contestants = [contestant for contestant in CONTESTANTS if options.who in contestant.name]
    if options.baseline:
        contestants.insert(1, baseline(options.baseline.resolve()))
    if options.anchor:
        contestants.append(anchor(options.anchor.resolve()))
    for condition in CONDITIONS:
        if options.condition in str(condition):
            with on(BESIDE):
                results = asyncio.run(contest(condition, contestants, options))
            print_table(condition, results)
            if not options.anchor:
                print(f"| {_ANCHOR} | `--anchor PATH` of its binary measures it, too | | | |", flush=True)
            if options.chart and condition == HEADLINE:
                write_chart(options.chart, f"{condition}", results)


if __name__ == "__main__":
    main()
