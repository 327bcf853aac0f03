"""The rows of the table: what is done to the product while it sends."""

import asyncio
import resource
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.crash_proof.events_row import address, all_published, with_events
from benchmarks.crash_proof.fleet_rows import FleetSize, all_shown, fleet_killed
from benchmarks.crash_proof.harness import Count, one_address
from benchmarks.crash_proof.run_harness import RunHarness, start_harness
from tests.servers.sns_to_sqs import SnsToSqs
from tests.servers.sqs import SqsServer

Run = Callable[[Path, "Size"], Awaitable[Count]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it."""

    mails: int
    kills: int
    seed: int = 1
    fleet: FleetSize = field(default_factory=FleetSize)

    @property
    def rate(self) -> float:
        """Mails a second, so that about a second lies between two kills."""
        return max(50.0, self.mails / max(1, self.kills) / 1.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: `broken` tells by which words a count breaks it."""

    name: str
    run: Run
    broken: Callable[[Count], str]


def _exactly_once(count: Count) -> str:
    return "" if count.lost == count.doubled == count.parked == 0 else "lost, doubled or parked mail"


def _bounded(count: Count) -> str:
    if count.lost:
        return "lost mail"
    return "" if count.doubled <= count.in_doubt else "more doubled than was in doubt"


def _never_twice(count: Count) -> str:
    return "lost or doubled mail" if count.lost or count.doubled else ""


async def _kill_again_and_again(harness: RunHarness, size: Size, address: Callable[[int], str] = one_address) -> Count:
    await harness.publish(size.mails, address)
    for kill in range(1, size.kills + 1):
        # Not over the whole queue: what a kill leaves to be parked never arrives, and must not be waited for.
        await harness.wait_sent(round(0.7 * size.mails * kill / size.kills))
        await asyncio.sleep(harness.chance.uniform(0, 0.2))
        await harness.kill_daemon()
    return await harness.finish()


async def killed_with_events(directory: Path, size: Size) -> Count:
    async with start_harness(
        directory, seed=size.seed, events=True, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=10
    ) as harness:
        await _slow_ses(harness)
        return await _kill_again_and_again(harness, size)


async def killed_with_bounces(directory: Path, size: Size) -> Count:
    """Quicker than the others: with many kills, it is the starts that take the time."""
    async with start_harness(
        directory,
        seed=size.seed,
        events=True,
        SES_RATE_PER_SEC=4 * size.rate,
        IN_DOUBT_GRACE=10,
        EVENTS_OUT="nats",
        BOUNCE_STOP=0,
        COMPLAINT_STOP=0,
    ) as harness:
        await _slow_ses(harness)
        return await with_events(harness, await _kill_again_and_again(harness, size, address))


async def killed_without_events(directory: Path, size: Size) -> Count:
    async with start_harness(
        directory, seed=size.seed, events=False, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=1
    ) as harness:
        await _slow_ses(harness)
        return await _kill_again_and_again(harness, size)


async def killed_without_events_park(directory: Path, size: Size) -> Count:
    async with start_harness(
        directory, seed=size.seed, events=False, SES_RATE_PER_SEC=size.rate, IN_DOUBT="park", IN_DOUBT_GRACE=1
    ) as harness:
        await _slow_ses(harness)
        return await _kill_again_and_again(harness, size)


async def nats_killed(directory: Path, size: Size) -> Count:
    async with start_harness(
        directory, seed=size.seed, events=True, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=10
    ) as harness:
        await _slow_ses(harness)
        await harness.publish(size.mails)
        for kill in range(1, size.kills + 1):
            await harness.wait_sent(round(size.mails * kill / (size.kills + 1)))
            await harness.nats.kill()
            harness.kills += 1
            await asyncio.sleep(harness.chance.uniform(0, 0.5))
            await harness.nats.restart()
        return await harness.finish()


async def sandbox_killed(directory: Path, size: Size) -> Count:
    """It also sends the events, and has to catch up with them: hence a grace that grows with their number."""
    grace = 10 + size.mails * 0.003
    async with start_harness(
        directory, seed=size.seed, events=True, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=grace
    ) as harness:
        await harness.publish(size.mails)
        for kill in range(1, size.kills + 1):
            await harness.wait_sent(round(size.mails * kill / (size.kills + 1)))
            await harness.sandbox.kill()
            harness.kills += 1
            await asyncio.sleep(harness.chance.uniform(0, 0.3))
            await harness.sandbox.start()
        return await harness.finish()


async def stopped_and_woken(directory: Path, size: Size) -> Count:
    """SIGSTOP for longer than ACK_WAIT, the tenancy and half a claim's lease."""
    async with start_harness(
        directory, seed=size.seed, events=True, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=10
    ) as harness:
        await _slow_ses(harness)
        await harness.publish(size.mails)
        await harness.wait_sent(size.mails // 3)
        harness.daemon.signal(signal.SIGSTOP)
        await asyncio.sleep(35)
        harness.daemon.signal(signal.SIGCONT)
        return await harness.finish()


async def connections_cut(directory: Path, size: Size) -> Count:
    async with start_harness(
        directory, seed=size.seed, events=True, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=10
    ) as harness:
        for kind in ("cut_before", "cut_after", "hang_after"):
            await harness.sandbox.post(
                "/sandbox/faults", {"times": size.mails // 20, "probability": 0.2, "action": {"kind": kind}}
            )
        await harness.publish(size.mails)
        return await harness.finish()


async def ledger_locked(directory: Path, size: Size) -> Count:
    async with start_harness(
        directory, seed=size.seed, events=True, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=10
    ) as harness:
        await harness.publish(size.mails)
        await harness.wait_sent(size.mails // 3)
        other = sqlite3.connect(harness.directory / "daemon" / "data" / "email.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(30)
        other.execute("ROLLBACK")
        other.close()
        return await harness.finish()


async def disk_full(directory: Path, size: Size) -> Count:
    """No file of the daemon's may grow for 15 s, as on a disk without room."""
    async with start_harness(
        directory, seed=size.seed, events=True, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=10
    ) as harness:
        await harness.publish(size.mails)
        await harness.wait_sent(size.mails // 3)
        unlimited = resource.prlimit(harness.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(harness.daemon.pid, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
        await harness.daemon.wait_for("store.blocked")
        await asyncio.sleep(15)
        resource.prlimit(harness.daemon.pid, resource.RLIMIT_FSIZE, unlimited)
        return await harness.finish()


async def receiver_down(directory: Path, size: Size) -> Count:
    """Down for three times the grace, while SNS goes on trying: the grace begins when events can arrive again."""
    async with start_harness(
        directory, seed=size.seed, events=True, SES_RATE_PER_SEC=size.rate, IN_DOUBT_GRACE=5
    ) as harness:
        return await _down_for_15_s_twice(harness, size)


async def receiver_down_with_sqs(directory: Path, size: Size) -> Count:
    """Events wait in an SQS queue: with them nothing is decided by time at all, so there is no grace."""
    with SqsServer() as server:
        async with (
            SnsToSqs(server) as bridge,
            start_harness(
                directory,
                seed=size.seed,
                events=True,
                events_to=bridge.url,
                SES_RATE_PER_SEC=size.rate,
                IN_DOUBT_GRACE=0,
                SNS_EVENTS_QUEUE_URL=bridge.queue.url,
                AWS_ENDPOINT_URL_SQS=server.url,
            ) as harness,
        ):
            await harness.daemon.wait_for("events.subscribed")
            return await _down_for_15_s_twice(harness, size)


async def _down_for_15_s_twice(harness: RunHarness, size: Size) -> Count:
    await _slow_ses(harness)
    await harness.publish(size.mails)
    for part in (1, 2):
        await harness.wait_sent(size.mails * part // 3)
        await harness.daemon.kill()
        harness.kills += 1
        await asyncio.sleep(15)
        await harness.daemon.start()
    return await harness.finish()


async def _slow_ses(harness: RunHarness) -> None:
    """30 ms a call, so that every kill hits some on their way."""
    await harness.sandbox.post("/sandbox/faults", {"times": None, "action": {"kind": "delay", "seconds": 0.03}})


async def workers_nodes_and_sidecar_killed(directory: Path, size: Size) -> Count:
    return await fleet_killed(directory, size.fleet)


ROWS = (
    Row("daemon killed, SES's events arrive", killed_with_events, _exactly_once),
    Row("daemon killed, with bounces, complaints and events out", killed_with_bounces, all_published),
    Row("daemon killed, no events, IN_DOUBT=resend", killed_without_events, _bounded),
    Row("daemon killed, no events, IN_DOUBT=park", killed_without_events_park, _never_twice),
    Row("nats-server killed", nats_killed, _exactly_once),
    Row("SES endpoint killed", sandbox_killed, _exactly_once),
    Row("daemon stopped for 35 s and woken", stopped_and_woken, _exactly_once),
    Row("connections cut before and after SES accepted", connections_cut, _exactly_once),
    Row("ledger's file locked for 30 s", ledger_locked, _exactly_once),
    Row("disk full for 15 s", disk_full, _exactly_once),
    Row("daemon, and so the event receiver, down for 3 graces", receiver_down, _exactly_once),
    Row("the same with SES's events through SQS, and no grace", receiver_down_with_sqs, _exactly_once),
    Row("4 workers, 3 NATS nodes, every mail published twice", workers_nodes_and_sidecar_killed, all_shown),
)
