"""The row with the roles apart: everything dies, again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crash_proof.fleet_harness import FleetHarness, start_fleet_harness
from benchmarks.crash_proof.harness import Count

Strike = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FleetSize:
    """How much of it."""

    mails: int = 20_000
    rate: float = 200
    worker_kills: int = 20
    node_kills: int = 3
    sidecar_kills: int = 3
    stop_seconds: float = 20
    """How long one worker is stopped: longer than its lease, and than the ACK_WAIT of 2 s. 0: none is."""
    lease: float = 8
    grace: float = 30
    """IN_DOUBT_GRACE: SES's events that a dead sidecar missed have to arrive in it, on a machine that is busy."""
    seed: int = 1


async def fleet_killed(directory: Path, size: FleetSize) -> Count:
    """Every mail twice, by two publishers; then kills, spread evenly over the mails that SES has accepted."""
    async with start_fleet_harness(
        directory, seed=size.seed, SES_RATE_PER_SEC=size.rate, CLAIM_LEASE=size.lease, IN_DOUBT_GRACE=size.grace
    ) as harness:
        # 30 ms a call, so that every kill hits some on their way.
        await harness.sandbox.post("/sandbox/faults", {"times": None, "action": {"kind": "delay", "seconds": 0.03}})
        await harness.publish(size.mails)
        strikes = _strikes(harness, size)
        for number, strike in enumerate(strikes, 1):
            await harness.wait_sent(round(size.mails * number / (len(strikes) + 1)))
            await asyncio.sleep(harness.chance.uniform(0, 0.2))
            await strike()
        return await harness.finish()


def _strikes(harness: FleetHarness, size: FleetSize) -> list[Strike]:
    strikes: list[Strike] = [
        *[harness.kill_worker] * size.worker_kills,
        *[harness.kill_node] * size.node_kills,
        *[harness.kill_sidecar] * size.sidecar_kills,
    ]
    harness.chance.shuffle(strikes)
    if size.stop_seconds:  # early, so that it wakes up in the middle of it all
        strikes.insert(len(strikes) // 4, lambda: harness.stop_worker(size.stop_seconds))
    return strikes


def all_shown(count: Count) -> str:
    """Exactly once, and the tables say so."""
    if count.lost or count.doubled or count.parked:
        return "lost, doubled or parked mail"
    return "rows that don't say Sent" if count.misshown else ""
