"""`python -m benchmarks.turns`: tenants with backlogs of very different lengths, in one queue, and how long each takes.

The mails of all tenants are published in random order. A tenant's fair time is what it takes where tenants have turns mail by
mail from the start: the rate serves it, and of every other tenant as many mails as it has itself. It is compared with the time
from when the program has read the tenant's last mail until all of its mail is accepted; and with the time from the start.
Exits non-zero if a tenant takes more than twice its fair time.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic

import msgpack
import nats
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import MARK, STREAM, SUBJECT, Publisher
from benchmarks.program import Program
from benchmarks.throughput.contestants import OURS, environment
from tests.servers.nats import NatsServer

_CONSUMER = "turns"
_LOOK = 0.25
_AT_ONCE = 1000


def backlogs(tenants: int, longest: int) -> list[int]:
    """From 10 mails to the longest, each longer than the one before by the same factor."""
    return [round(10 * (longest / 10) ** (place / (tenants - 1))) for place in range(tenants)]


def fair_time(mails: int, all_backlogs: list[int], rate: float) -> float:
    """Seconds until a tenant with so many mails has had its last turn."""
    return sum(min(each, mails) for each in all_backlogs) / rate


async def _publish(stream: JetStreamContext, order: list[int]) -> None:
    waiting = []
    for number, tenant in enumerate(order):
        mail = {
            "uuid": f"turn-{number}",
            "email": f"customer-{number}@example.com",
            "subject": f"{MARK}{number}",
            "body": "<p>Your order is on its way.</p>",
            "tenant": f"tenant-{tenant}",
        }
        waiting.append(await stream.publish_async(SUBJECT, msgpack.packb(mail)))
    await asyncio.gather(*waiting)


async def _read_until(stream: JetStreamContext, mails: int) -> list[tuple[float, int]]:
    """When how many mails had been read, until all were."""
    read = [(monotonic(), 0)]
    while read[-1][1] < mails:
        await asyncio.sleep(_LOOK)
        try:
            delivered = (await stream.consumer_info(STREAM, _CONSUMER)).delivered.stream_seq
        except nats.js.errors.NotFoundError:  # it has not started yet
            continue
        read.append((monotonic(), delivered))
    return read


async def run(tenants: int, longest: int, rate: float) -> bool:
    sizes = backlogs(tenants, longest)
    order = [tenant for tenant, mails in enumerate(sizes) for _ in range(mails)]
    random.Random(1).shuffle(order)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        endpoint = Endpoint(directory, tls=True, latency=0.03, max_send_rate=0, account_rate=100_000)
        async with NatsServer(directory / "nats") as server, endpoint:
            publisher = await Publisher.connect(server.url)
            await publisher.create_stream(RetentionPolicy.WORK_QUEUE)
            client = await nats.connect(server.url)
            stream = client.jetstream(publish_async_max_pending=_AT_ONCE)
            await _publish(stream, order)
            variables = environment(server.url, endpoint, _CONSUMER) | {"SES_RATE_PER_SEC": str(rate)}
            async with Program(directory / "daemon", OURS.command, variables) as program:
                read = await _read_until(stream, len(order))
                while len(marked := await endpoint.marked()) < len(order):
                    program.check()
                    await asyncio.sleep(_LOOK)
            await client.close()
            await publisher.close()
    return _report(sizes, order, rate, marked, read)


def _report(
    sizes: list[int], order: list[int], rate: float, marked: dict[int, float], read: list[tuple[float, int]]
) -> bool:
    started = min(marked.values())
    ended: dict[int, float] = {}
    last = dict(zip(order, range(1, len(order) + 1), strict=True))  # where each tenant's last mail lies
    for number, at in marked.items():
        ended[order[number]] = max(ended.get(order[number], 0.0), at)
    counted = Counter(order)
    assert all(counted[tenant] == mails for tenant, mails in enumerate(sizes))
    worst = from_start = 0.0
    print("| mails | fair | after it was read | from the start |\n|--:|--:|--:|--:|", flush=True)
    for tenant, mails in enumerate(sizes):
        fair = fair_time(mails, sizes, rate)
        was_read = next(at for at, delivered in read if delivered >= last[tenant])
        took, whole = max(0.0, ended[tenant] - max(started, was_read)), ended[tenant] - started
        worst, from_start = max(worst, took / fair), max(from_start, whole / fair)
        if tenant % max(1, len(sizes) // 10) == 0 or tenant == len(sizes) - 1:
            print(f"| {mails:,} | {fair:.1f} s | {took:.1f} s | {whole:.1f} s |", flush=True)
    total = max(marked.values()) - started
    print(
        f"{len(sizes)} tenants, {len(order):,} mails at {rate:g}/s: all in {total:.0f} s ({len(order) / total:.0f}/s),"
        f" all read after {read[-1][0] - started:.0f} s; at most {worst:.2f} of the fair time after it was read,"
        f" {from_start:.2f} from the start",
        flush=True,
    )
    return worst <= 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument(
        "--longest", type=int, default=100_000, help="mails of the longest backlog; the shortest has 10"
    )
    parser.add_argument("--rate", type=float, default=500)
    given = parser.parse_args()
    with on(BESIDE):
        return 0 if asyncio.run(run(given.tenants, given.longest, given.rate)) else 1


if __name__ == "__main__":
    sys.exit(main())
