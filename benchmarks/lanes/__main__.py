"""`python -m benchmarks.lanes`: how long a transactional mail waits, from publishing until its request arrives at the endpoint.

Bulk mail is queued, and transactional mails are published one by one at random moments: with nothing else queued, with a
backlog, with SES throttling at half the rate; and, for comparison, FastStream with aioboto3, which has one queue and no
rate. Then more transactional mail than the rate allows: what bulk mail keeps. `--roles` runs two workers and a sidecar.
Exits non-zero if a row misses what is promised: p99 at most 1/rate + 60 ms up to 100/s and 40 ms above, both lanes together
at least 99.5 % of the rate, bulk mail its floor; nothing is promised where SES throttles.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

from benchmarks.cores import BESIDE, on
from benchmarks.fleet.harness import start_harness as start_fleet
from benchmarks.lanes.measurement import Measured, Running, publish_at_once, publish_one_by_one
from benchmarks.mails import SUBJECT
from benchmarks.rate.harness import start_harness as start_run
from benchmarks.throughput.contestants import CONTESTANTS

_FLOOR = 0.05
"""BULK_FLOOR, as it comes."""
_SETTLING, _FEELING = 3, 10
"""Seconds after the first mail until the rate is kept, and until a lower limit of SES is found."""
_PEERS = [contestant for contestant in CONTESTANTS if contestant.name.startswith("FastStream")]

Start = Callable[..., AbstractAsyncContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Size:
    bulk: int
    """Mails in the queue."""
    mails: int
    """Transactional ones."""
    seconds: float
    """For which they are published."""


async def wait_in_backlog(start: Start, rate: int, size: Size, *, bulk: int) -> bool:
    """One by one, with `bulk` mails queued; whether the promise was kept."""
    async with start(mails=max(1, bulk), rate=rate) as running:
        found = await publish_one_by_one(running, mails=size.mails, seconds=size.seconds, settle=_SETTLING)
    most = 1 / rate + 0.06 if rate <= 100 else 0.04
    kept = found.percentile(99) <= most and (not bulk or found.per_second >= 0.995 * rate)
    promise = f"{_verdict(kept)} (p99 at most {1000 * most:.0f} ms)"
    _row(
        f"{rate}/s",
        f"{bulk:,} bulk mails queued" if bulk else "nothing else queued",
        found,
        rate if bulk else None,
        promise,
    )
    return kept


async def wait_while_throttled(start: Start, rate: int, size: Size) -> bool:
    """SES allows half the rate and does not say so."""
    async with start(mails=size.bulk, rate=rate, enforced=rate / 2, announced=0) as running:
        found = await publish_one_by_one(running, mails=size.mails, seconds=size.seconds, settle=_FEELING)
    _row(f"{rate}/s", f"{size.bulk:,} bulk mails queued, SES throttles at {rate / 2:g}/s", found, rate / 2, "")
    return True


async def keep_the_floor(start: Start, rate: int, size: Size) -> bool:
    """Transactional mail alone would fill the rate; whether bulk mail got its floor."""
    mails = round(rate * (size.seconds + _SETTLING) * 1.2)
    async with start(mails=size.bulk, rate=rate) as running:
        found = await publish_at_once(running, mails=mails, seconds=size.seconds, settle=_SETTLING)
    floor = _FLOOR * rate
    kept = found.per_second >= 0.995 * rate and found.bulk_per_second >= 0.98 * floor
    promise = f"{_verdict(kept)} (bulk at least {floor:g}/s)"
    _row(f"{rate}/s", "both lanes have more than the rate allows", found, rate, promise)
    return kept


async def compare(rate_of_ours: int, size: Size) -> None:
    """Peers have one queue, in which the mail waits until all before it is sent, and no rate."""
    for peer in _PEERS:
        async with start_run(mails=size.bulk, rate=rate_of_ours, contestant=peer) as running:
            found = await publish_one_by_one(
                running, mails=size.mails, seconds=size.seconds, settle=_SETTLING, subject=SUBJECT
            )
        _row(peer.name, f"{size.bulk:,} mails queued", found, None, "")


def _row(rate: str, queued: str, found: Measured, allowed: float | None, promise: str) -> None:
    p50, p99 = (f"{_time(found.percentile(each))}" if found.waits else "" for each in (50, 99))
    share = f" ({found.per_second / allowed:.1%})" if allowed else ""
    speeds = f"{found.per_second:,.1f}{share} | {found.bulk_per_second:,.1f}"
    print(f"| {rate} | {queued} | {p50} | {p99} | {speeds} | {promise} |", flush=True)


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _verdict(kept: bool) -> str:
    return "kept" if kept else "MISSED"


async def run(start: Start, rates: list[int], size: Size) -> bool:
    kept = []
    for rate in rates:
        kept += [await wait_in_backlog(start, rate, size, bulk=bulk) for bulk in (0, size.bulk)]
        kept.append(await wait_while_throttled(start, rate, size))
        kept.append(await keep_the_floor(start, rate, size))
    return all(kept)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bulk", type=int, default=100_000, help="bulk mails in the queue")
    parser.add_argument("--rates", type=int, nargs="*", default=[50, 500])
    parser.add_argument("--short", action="store_true", help="10,000 bulk mails, 60 transactional ones within 10 s")
    parser.add_argument("--roles", action="store_true", help="two workers and a sidecar; without the peers")
    parser.add_argument("--no-peers", action="store_true")
    given = parser.parse_args()
    size = Size(10_000, 60, 10) if given.short else Size(given.bulk, 300, 60)
    start: Start = partial(start_fleet, workers=2) if given.roles else start_run
    with on(BESIDE):
        print("| rate | queued | p50 | p99 | mails/s | of them bulk | |\n|---|---|--:|--:|--:|--:|---|", flush=True)
        kept = asyncio.run(run(start, given.rates, size))
        if not (given.roles or given.no_peers):
            asyncio.run(compare(max(given.rates), size))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
