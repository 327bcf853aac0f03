"""One soak: a daemon, all it talks to, the load, and what is done to them meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import aiohttp

from benchmarks.crash_proof.events_row import all_out
from benchmarks.crash_proof.harness import PATIENCE, Count
from benchmarks.crash_proof.run_harness import RunHarness, start_harness
from benchmarks.soak.figures import Sample, take_sample
from benchmarks.soak.load import Load, is_reported
from tests.servers.webhook_receiver import WebhookReceiver

Strike = Callable[[], Awaitable[None]]
_KEY = "soak"
_HOOK = "/hook"
_REPORTED = ["bounced", "complained"]
_AWAY = 3.0
"""Seconds for which a receiver or a server is gone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how much."""

    minutes: float
    warm_up: float
    """Minutes, contained in `minutes`. Only in their first quarter is the daemon itself killed: what is measured is one process's
    life, once its caches are full."""
    rate: float
    """Mails a second."""
    strikes: int
    """Kills and restarts, evenly spread."""
    retention: float
    """Minutes for which the daemon keeps finished mail."""


@dataclass
class Result:
    """What came of it."""

    count: Count
    sent_though_cancelled: int
    cancelled: int
    untold: int
    """Bounced and complained mails of which no webhook came."""
    forged: int
    """Webhooks whose signature did not verify."""
    samples: list[Sample] = field(default_factory=list)


async def soak(directory: Path, plan: Plan) -> Result:
    """Run it."""
    async with (
        start_harness(
            directory,
            seed=1,
            events=True,
            alone=True,
            SES_RATE_PER_SEC=2 * plan.rate,  # what an outage delays is made up for
            IN_DOUBT_GRACE=30,
            EVENTS_OUT="nats,webhooks",
            EVENTS_MAX_BYTES=2**26,
            WEBHOOK_ALLOW_PRIVATE="true",
            API_KEY=_KEY,
            BOUNCE_STOP=0,
            COMPLAINT_STOP=0,
            RETENTION_DAYS=plan.retention / 1440,
            IDEMPOTENCY_TTL=plan.retention * 60,
        ) as harness,
        WebhookReceiver(directory) as receiver,
        aiohttp.ClientSession(harness.url, headers={"X-API-KEY": _KEY}) as site,
    ):
        endpoint = await _add_webhook(site, receiver)
        load = Load(harness.publishers[0], site, plan.rate)
        beside = [asyncio.create_task(load.cancel_topics()), asyncio.create_task(load.look())]
        publishing = asyncio.create_task(load.publish(60 * plan.minutes))
        samples = await _strike(harness, receiver, plan)
        await publishing
        await _end(*beside)
        harness.uuids = load.uuids
        await harness.wait_sent(len(load.uuids))
        count = await harness.finish()
        await all_out(harness)
        await _all_delivered(site, endpoint)
        sent = {uuid for uuid, _ in (await harness.sandbox.get("/messages/uuids"))["uuids"]}
        receipts = receiver.receipts()
        notified = {receipt.uuid for receipt in receipts}
        reported = [uuid for number, uuid in enumerate(load.uuids) if is_reported(number)]
        return Result(
            count,
            sent_though_cancelled=len(sent & load.cancelled),
            cancelled=len(load.cancelled),
            untold=sum(uuid not in notified for uuid in reported),
            forged=sum(not receipt.verified for receipt in receipts),
            samples=samples,
        )


async def _strike(harness: RunHarness, receiver: WebhookReceiver, plan: Plan) -> list[Sample]:
    """All strikes, the daemon's own in the first quarter of the warm-up; returns what was sampled after the warm-up."""
    loop = asyncio.get_running_loop()
    began, pause = loop.time(), 60 * plan.minutes / (plan.strikes + 1)
    others = cycle(_strikes_on_others(harness, receiver))
    on_daemon = cycle([harness.kill_daemon, harness.restart_daemon])
    samples: list[Sample] = []
    sampling: asyncio.Task[None] | None = None
    for number in range(1, plan.strikes + 2):
        moment = number * pause
        if sampling is None and moment > 60 * plan.warm_up:
            await asyncio.sleep(began + 60 * plan.warm_up - loop.time())
            every = min(5.0, 60 * (plan.minutes - plan.warm_up) / 40)
            sampling = asyncio.create_task(_sample(harness, every, samples))
        await asyncio.sleep(began + moment - loop.time())
        if number <= plan.strikes:
            await next(on_daemon if number % 2 and moment < 60 * plan.warm_up / 4 else others)()
    assert sampling
    await _end(sampling)
    return samples


async def _sample(harness: RunHarness, every: float, samples: list[Sample]) -> None:
    while True:
        samples.append(take_sample(harness.daemon.pid, harness.directory / "daemon" / "data" / "email.db"))
        await asyncio.sleep(every)


def _strikes_on_others(harness: RunHarness, receiver: WebhookReceiver) -> list[Strike]:
    async def kill_nats() -> None:
        await harness.nats.kill()
        harness.kills += 1
        await harness.nats.restart()

    async def kill_endpoint() -> None:
        await harness.sandbox.kill()
        harness.kills += 1
        await harness.sandbox.start()

    async def kill_receiver() -> None:
        await receiver.kill()
        harness.kills += 1
        await asyncio.sleep(_AWAY)
        await receiver.come_back()

    async def stop_receiver() -> None:
        receiver.stop()
        await asyncio.sleep(_AWAY)
        await receiver.come_back()

    return [kill_nats, kill_receiver, kill_endpoint, stop_receiver]


async def _add_webhook(site: aiohttp.ClientSession, receiver: WebhookReceiver) -> str:
    new = {"url": receiver.url(_HOOK), "types": _REPORTED}
    async with site.post("/v1/webhooks", json=new, raise_for_status=True) as answer:
        endpoint = await answer.json()
    await receiver.start({_HOOK: endpoint["secret"]})
    return str(endpoint["id"])


async def _all_delivered(site: aiohttp.ClientSession, endpoint: str) -> None:
    """Until nothing waits; what failed is sent again now rather than in some minutes."""
    await site.post(f"/v1/webhooks/{endpoint}/resend", json={}, raise_for_status=True)
    async with asyncio.timeout(PATIENCE):
        while True:
            async with site.get(f"/v1/webhooks/{endpoint}", raise_for_status=True) as answer:
                if not (await answer.json())["waiting"]:
                    return
            await asyncio.sleep(0.2)


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
