"""What events out cost, and how soon they are told.

    python -m benchmarks.events [--rounds 3] [--seconds 5] [--mails 60000] [--rate 500] [--short]

CPU per mail at full speed with EVENTS_OUT=nats and without, in rounds that take turns. Then, at a fixed rate, the time from a mail's
outcome to its event in the stream: the group commit in between counts, so it is an upper bound of what follows the commit.
"""

import argparse
import asyncio
import tempfile
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import median, quantiles

import nats
import orjson
from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import STREAM, Publisher
from benchmarks.program import Program
from benchmarks.throughput.contestants import OURS, Contestant, environment
from benchmarks.throughput.measurement import measure
from email_consumer.jetstream.stream_reader import read_stream
from tests.servers.nats import NatsServer

_OFF = Contestant("off", OURS.command)
_NATS = Contestant("EVENTS_OUT=nats", OURS.command, {"EVENTS_OUT": "nats"})
_LATENCY = 0.03
"""Seconds that the endpoint takes for an answer."""


async def cpu(directory: Path, server: NatsServer, endpoint: Endpoint, options: argparse.Namespace) -> None:
    """Print the median and the range of both."""
    found: dict[Contestant, list[float]] = {_OFF: [], _NATS: []}
    for number, contestant in product(range(options.rounds), found):
        run = f"{contestant.name}-{number}".replace("=", "-")
        variables = environment(server.url, endpoint, run) | contestant.variables
        async with Program(directory / run, contestant.command, variables) as program:
            sample = await measure(program, endpoint, queued=options.mails, seconds=options.seconds)
        found[contestant].append(sample.cpu_us)
    off = median(found[_OFF])
    print("| events | CPU per mail | range | off = 1 |\n|---|--:|--:|--:|")
    for contestant, times in found.items():
        middle = median(times)
        print(
            f"| {contestant.name} | {middle:.0f} µs | {min(times):.0f} to {max(times):.0f} µs | {middle / off:.2f} |",
            flush=True,
        )


async def latency(directory: Path, server: NatsServer, endpoint: Endpoint, options: argparse.Namespace) -> None:
    """Print how long after the outcome events were stored."""
    variables = environment(server.url, endpoint, "latency") | _NATS.variables | {"SES_RATE_PER_SEC": str(options.rate)}
    client = await nats.connect(server.url)
    await client.jetstream().purge_stream(f"{STREAM}-events")
    before = await endpoint.count()
    async with Program(directory / "latency", _NATS.command, variables) as program:
        while await endpoint.count() - before < options.rate * options.seconds * 2:
            program.check()
            await asyncio.sleep(0.1)
        delays = [
            (message.metadata.timestamp - datetime.fromisoformat(orjson.loads(message.data)["at"])).total_seconds()
            async for message in read_stream(client, f"{STREAM}-events", subject=">")
        ]
    await client.close()
    delays = delays[len(delays) // 4 :]  # not the start
    percentiles = quantiles(delays, n=100)
    print(
        f"\n{len(delays):,} events at {options.rate} mails/s, from outcome to stream: median {percentiles[49] * 1000:.0f} ms, "
        f"p99 {percentiles[98] * 1000:.0f} ms, longest {max(delays) * 1000:.0f} ms",
        flush=True,
    )


async def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        endpoint = Endpoint(directory, tls=True, latency=_LATENCY)
        async with NatsServer(directory / "nats") as server, endpoint:
            publisher = await Publisher.connect(server.url)
            await publisher.create_stream(RetentionPolicy.LIMITS)
            await publisher.publish(options.mails)
            await cpu(directory, server, endpoint, options)
            await latency(directory, server, endpoint, options)
            await publisher.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="how long each program is watched in each round")
    parser.add_argument("--mails", type=int, default=60_000, help="how many wait in the queue")
    parser.add_argument("--rate", type=int, default=500, help="mails a second, for the latency")
    parser.add_argument("--short", action="store_true", help="one round of two seconds with 20,000 mails")
    options = parser.parse_args()
    if options.short:
        options.rounds, options.seconds, options.mails = 1, 2, 20_000
    print(f"{datetime.now(UTC):%Y-%m-%d}: the program under test has a core to itself.", flush=True)
    with on(BESIDE):
        asyncio.run(run(options))


if __name__ == "__main__":
    main()
