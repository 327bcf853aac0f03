"""One rate over four workers, against an endpoint that enforces a lower one; also while two leave and one joins."""

import asyncio
import signal
from time import monotonic

from benchmarks.endpoint.process import Arrivals
from benchmarks.fleet.harness import Harness, start_harness

WORKERS = 4
LIMIT = 200
_SETTING = 500
_SETTLING = 10
"""Seconds after the first request until the promise holds."""


async def share_the_rate(seconds: float, *, announced: float) -> bool:
    """Two rows, so many seconds each; whether the promise was kept in both."""
    mails = round(LIMIT * (2 * seconds + _SETTLING + 10))
    async with start_harness(
        mails=mails, workers=WORKERS, rate=_SETTING, enforced=LIMIT, announced=announced
    ) as running:
        await running.wait_accepted(1)
        await asyncio.sleep(_SETTLING)
        began = monotonic()
        await asyncio.sleep(seconds)
        middle = monotonic()
        changes = asyncio.create_task(_leave_and_join(running, seconds))
        await asyncio.sleep(seconds)
        ended = monotonic()
        await changes
        arrivals = await running.endpoint.arrivals()
    title = f"GetAccount says {announced:g}/s" if announced else "GetAccount is forbidden"
    steady = _row(f"{title}: {WORKERS} workers", arrivals, began, middle)
    changing = _row(f"{title}: two leave, one joins", arrivals, middle, ended, promised=announced > 0)
    return changing and steady


async def _leave_and_join(running: Harness, seconds: float) -> None:
    """Spread over the time; who leaves does so in order (SIGTERM), as in a rollout."""
    first, second, *_ = running.fleet.workers
    await asyncio.sleep(seconds / 6)
    first.signal(signal.SIGTERM)
    await asyncio.sleep(seconds / 6)
    second.signal(signal.SIGTERM)
    await asyncio.sleep(seconds / 6)
    another = running.fleet.worker("another")
    await another.start()
    running.fleet.workers.append(another)
    assert [await each.ended() for each in (first, second)] == [0, 0]


def _row(name: str, arrivals: Arrivals, began: float, ended: float, *, promised: bool = True) -> bool:
    """Not promised: who joins without knowing the limit has to feel for it."""
    accepted, throttled = (
        sum(began <= moment < ended for moment in moments) for moments in (arrivals.accepted, arrivals.throttled)
    )
    share, used = throttled / (throttled + accepted), accepted / (ended - began) / LIMIT
    kept = share <= 0.01 and used >= 0.95
    verdict = "kept" if kept else "MISSED" if promised else "not promised"
    print(f"| {name} | {accepted:,} | {share:.2%} | {used:.1%} | {verdict} |", flush=True)
    return kept or not promised


async def table(seconds: float) -> bool:
    print(f"\n| limit {LIMIT}/s, setting {_SETTING}/s, {seconds:g} s each | accepted | throttled | used | |")
    print("|---|--:|--:|--:|---|", flush=True)
    kept = [await share_the_rate(seconds, announced=announced) for announced in (LIMIT, 0.0)]
    return all(kept)
