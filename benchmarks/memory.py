"""`python -m benchmarks.memory`: the daemon's resident memory over a million mails.

Prints a line at each power of ten and at the end. TLS, answers after 30 ms; the publisher keeps the stream short.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.program import Program
from benchmarks.throughput.contestants import OURS, environment
from benchmarks.usage import peak_rss_mb, rss_mb
from tests.servers.nats import NatsServer

_LONGEST_QUEUE = 10_000
_CHUNK = 2_000
_LOOK = 0.1


async def watch(mails: int, body: int, marks: list[int]) -> dict[int, float]:
    """The peak in MB when so many mails were sent, for each of `marks`."""
    peaks: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with NatsServer(directory / "nats") as server, Endpoint(directory, tls=True, latency=0.03) as endpoint:
            publisher = await Publisher.connect(server.url, body)
            await publisher.create_stream(RetentionPolicy.WORK_QUEUE)
            program = Program(directory / "daemon", OURS.command, environment(server.url, endpoint, "memory"))
            async with program, asyncio.TaskGroup() as tasks:
                tasks.create_task(_publish(publisher, mails))
                for mark in marks:
                    while await endpoint.count() < mark:
                        program.check()
                        await asyncio.sleep(_LOOK)
                    peaks[mark] = peak_rss_mb(program.pid)
                    print(f"| {mark:,} | {peaks[mark]:.0f} MB | {rss_mb(program.pid):.0f} MB |", flush=True)
            await publisher.close()
    return peaks


async def _publish(publisher: Publisher, mails: int) -> None:
    for _ in range(0, mails, _CHUNK):
        while await publisher.left() > _LONGEST_QUEUE:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(_LOOK)
        await publisher.publish(_CHUNK)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1_000_000)
    parser.add_argument("--body", type=int, default=1_000, help="bytes of HTML")
    given = parser.parse_args()
    marks = [mark for mark in (1_000, 10_000, 100_000) if mark < given.mails] + [given.mails]
    print("| mails sent | peak memory so far | memory now |\n|--:|--:|--:|", flush=True)
    with on(BESIDE):
        peaks = asyncio.run(watch(given.mails, given.body, marks))
    if 10_000 in peaks:
        growth = peaks[given.mails] - peaks[10_000]
        print(f"\nFrom 10,000 mails to {given.mails:,} the peak grew by {growth:.0f} MB.")


if __name__ == "__main__":
    main()
