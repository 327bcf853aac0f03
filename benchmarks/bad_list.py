"""`python -m benchmarks.bad_list`: a list of which every fifth address bounces, among two good campaigns, at 200/s.

SES's events come after a delay. How many mails of the bad list are sent until it is held, with and without a canary; the
account's bounce rate; how much of the rate is used over the whole run; and how long transactional mail waits, published one by
one meanwhile. Exits non-zero if a promise is missed: at most the rate times the delay and 400 of the list's mails, 400 with
a canary, and then less than 5 % of bounces; 99 % of the rate; nothing else held, and no mail sent twice.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from statistics import quantiles

import aiohttp
import msgpack

from benchmarks.crash_proof.run_harness import RunHarness, start_harness

_KEY = "benchmark"
_RATE = 200
_CANARY = 200
_AFTERWARDS = 30
"""Seconds for which the run goes on once the events of the first mails have come."""
_SETTLING = 3
_GOOD = ("good-1", "good-2")
_EVERY = {"bad": 5} | dict.fromkeys(_GOOD, 100)
"""Of so many mails of a topic one bounces."""
_PAUSE = (0.1, 0.3)
"""Seconds from one transactional mail to the next."""
_PAGE = 500
_LOOK = 0.2


@dataclass
class Result:
    held: set[str]
    """Keys."""
    sent: Counter[str]
    """By topic."""
    doubled: int
    bounces: int
    share: float
    """Of the rate."""
    waits: list[float]
    """Of transactional mails, in seconds."""


def _mails(*topics: str, first: int = 0) -> Iterator[bytes]:
    """By turns, without end."""
    for number in count(first):
        for topic in topics:
            kind = "success" if number % _EVERY[topic] else "bounce"
            mail = {
                "uuid": f"{topic}_{number}",
                "email": f"{kind}+{topic}-{number}@simulator.amazonses.com",
                "subject": topic,
                "body": "<p>Hi</p>",
                "topic_id": topic,
            }
            yield msgpack.packb(mail)


async def _publish_bulk(harness: RunHarness, mails: Iterable[bytes]) -> None:
    [stream] = harness.publishers
    await asyncio.gather(*[await stream.publish_async("messages.email", mail) for mail in mails])


async def _pass_canaries(harness: RunHarness, site: aiohttp.ClientSession, mails: int) -> None:
    """Those of the good campaigns; of each so many mails are sent, and all is known of them."""
    await _publish_bulk(harness, islice(_mails(*_GOOD), len(_GOOD) * mails))
    await harness.wait_sent(len(_GOOD) * mails)
    while await _holds(site):  # noqa: ASYNC110 - only asking tells
        await asyncio.sleep(_LOOK)


async def _publish_transactional(harness: RunHarness, seconds: float) -> dict[str, float]:
    """When each was published (Unix seconds)."""
    [stream] = harness.publishers
    published: dict[str, float] = {}
    chance, end = random.Random(1), time.monotonic() + seconds
    while time.monotonic() < end:
        uuid = f"reset_{len(published)}"
        mail = {"uuid": uuid, "email": "success@simulator.amazonses.com", "subject": "reset", "body": "<p>Hi</p>"}
        published[uuid] = time.time()
        await stream.publish("messages.transactional", msgpack.packb(mail))
        await asyncio.sleep(chance.uniform(*_PAUSE))
    return published


async def _holds(site: aiohttp.ClientSession) -> list[dict[str, str]]:
    async with site.get("/v1/holds") as answer:
        return list((await answer.json())["holds"])


async def _arrivals(harness: RunHarness) -> list[tuple[str, float]]:
    """Uuid and moment (Unix seconds) of each mail that SES accepted."""
    found: list[tuple[str, float]] = []
    while page := (await harness.sandbox.get("/messages", offset=len(found), limit=_PAGE))["messages"]:
        found += [(mail["uuid"], mail["received_at"]) for mail in page]
    return found


async def measure(directory: Path, delay: float, canary: int) -> Result:
    seconds = delay + _AFTERWARDS
    async with (
        start_harness(
            directory,
            seed=1,
            events=True,
            alone=True,
            SES_RATE_PER_SEC=_RATE,
            API_KEY=_KEY,
            ACK_WAIT=30,
            BULK_FLOOR=0.05,
            TOPIC_CANARY=canary,
            CANARY_WAIT=300,
        ) as harness,
        aiohttp.ClientSession(harness.url, headers={"X-API-KEY": _KEY}, raise_for_status=True) as site,
    ):
        await harness.sandbox.put("/sandbox/events", {"types": ["Delivery", "Bounce"]})
        earlier = canary and canary + 50
        if canary:
            await _pass_canaries(harness, site, earlier)
        await harness.sandbox.put("/sandbox/events", {"delay": delay})
        mails = round(_RATE * (seconds + _SETTLING) * 1.6)  # more than can be sent
        await _publish_bulk(harness, islice(_mails("bad", *_GOOD, first=earlier), mails))
        await harness.wait_sent(len(_GOOD) * earlier + 1)
        await asyncio.sleep(_SETTLING)
        began = time.time()
        published = await _publish_transactional(harness, seconds)
        ended = time.time()
        await asyncio.sleep(1)  # the last of them are on their way
        arrived = await _arrivals(harness)
        holds = await _holds(site)
    at = dict(arrived)
    named = (uuid.split("_") for uuid in at)
    return Result(
        held={hold["key"] for hold in holds if hold["holder"] == "breaker"},
        sent=Counter(uuid.partition("_")[0] for uuid in at),
        doubled=len(arrived) - len(at),
        bounces=sum(topic in _EVERY and int(number) % _EVERY[topic] == 0 for topic, number in named),
        share=sum(began <= moment < ended for moment in at.values()) / (ended - began) / _RATE,
        waits=[at.get(uuid, ended + 1) - moment for uuid, moment in published.items()],
    )


def _is_kept(result: Result, delay: float, canary: int) -> bool:
    most = 400 if canary else _RATE * delay + 400
    return (
        result.held == {"topic:bad"}
        and result.sent["bad"] <= most
        and not result.doubled
        and result.share >= 0.99
        and (not canary or result.bounces < 0.05 * result.sent.total())
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delays", type=float, nargs="+", default=[1, 10, 60], help="seconds")
    given = parser.parse_args()
    kept = True
    print(
        "| events after | canary | sent of the bad list | held | bounces | of the rate | transactional p50 · p99 | |\n"
        "|--:|--:|--:|---|--:|--:|--:|---|"
    )
    for delay in given.delays:
        for canary in (0, _CANARY):
            with tempfile.TemporaryDirectory() as name:
                result = asyncio.run(measure(Path(name), delay, canary))
            kept &= (well := _is_kept(result, delay, canary))
            p50, p99 = (1000 * quantiles(result.waits, n=100, method="inclusive")[each] for each in (49, 98))
            print(
                f"| {delay:g} s | {canary or 'none'} | {result.sent['bad']:,} | {', '.join(sorted(result.held))} |"
                f" {result.bounces / result.sent.total():.1%} | {result.share:.1%} | {p50:.0f} · {p99:.0f} ms |"
                f" {'kept' if well else 'MISSED'} |",
                flush=True,
            )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
