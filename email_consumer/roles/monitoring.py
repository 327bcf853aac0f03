"""Monitoring: `/metrics`, the rate line, stalled sources, and mail without a consumer."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nlargest
from operator import itemgetter

from aiohttp import web
from prometheus_client import CollectorRegistry

from email_consumer.api.erasure_routes import ErasureRoutes
from email_consumer.api.unseen import Unseen
from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.metrics import Metrics
from email_consumer.core.readiness import STUCK
from email_consumer.core.stall_detector import PATIENCE, StallDetector
from email_consumer.core.tenant_sums import MOST_TENANTS, TenantSums
from email_consumer.core.unsent import Unsent
from email_consumer.dashboard.snapshot import Snapshot
from email_consumer.holds.keys import tenant_of
from email_consumer.jetstream.connection import NatsEndpoint
from email_consumer.message.lane import Lane
from email_consumer.observe import loop_lag, rate_line
from email_consumer.observe.metrics import create_registry
from email_consumer.observe.sampled_metrics import SampledMetrics, SampledMetricsCollector
from email_consumer.roles.holds import Holds
from email_consumer.roles.nats import connected
from email_consumer.roles.paced_sender import SesOptions
from email_consumer.roles.parts import Parts
from email_consumer.runtime.supervisor import Service
from email_consumer.sources.jetstream.stream_erasure import StreamErasure
from email_consumer.sources.unconsumed import UnconsumedWatch
from email_consumer.store.database import Database
from email_consumer.store.event_retention import EventRetention
from email_consumer.store.retention import Retention

_EVERY = 15.0
"""Seconds between two samples; Prometheus usually scrapes this often."""

_MIN_MAILS = 3
"""Mails the rate must allow within the patience of the stall detector."""


@dataclass(frozen=True, slots=True)
class RetentionOptions:
    keep: float
    """Seconds."""
    streams: Sequence[str]
    """Those that keep what mail said, and that an erasure has to look through."""
    endpoint: NatsEndpoint


def build_operations(
    parts: Parts,
    options: RetentionOptions,
    database: Database,
    unseen: Unseen,
    events_settled: Callable[[], Awaitable[None]],
) -> list[web.RouteDef]:
    """Start retention (RETENTION_DAYS), and return the routes for erasing addresses.

    `events_settled` returns once no event is on its way to JetStream that was read before.
    """
    mail = Retention(database, options.keep)
    events = EventRetention(database, options.keep, parts.metrics)
    parts.services.start(Service("retention", mail.run), Service("event retention", events.run))
    erasure = StreamErasure(database, partial(connected, options.endpoint), events_settled)
    if options.streams:
        parts.services.start(Service("erasure", erasure.run))
    return ErasureRoutes(database, Unsent(parts.metrics), unseen, streams=options.streams, erased=erasure.wake).routes()


def report_on(parts: Parts) -> None:
    """Write the rate line once a second, and measure the event loop's lag."""
    metrics = parts.metrics
    parts.services.start(
        Service("rate line", lambda: rate_line.report(metrics)),
        Service("loop lag", lambda: loop_lag.measure(metrics)),
    )


def watch_unconsumed(parts: Parts) -> Callable[[], Unconsumed]:
    """Watch for mail without a consumer; the returned function gives the last result."""
    watch = UnconsumedWatch(parts.sources)
    parts.services.start(Service("unconsumed", watch.run))
    return lambda: watch.found


def build_metrics(
    parts: Parts,
    snapshot: Callable[[], Awaitable[Snapshot]],
    events: Counter[str],
    refused: Counter[str],
    *,
    events_expected: bool,
    unconsumed: Callable[[], Unconsumed],
    holds: Holds,
    tenants: TenantSums,
) -> CollectorRegistry:
    """The registry served at `/metrics`. `events`: SES events by kind; `refused`: refused SNS messages by cause, since the start."""
    sampled = SampledMetrics(events_expected=events_expected, events=events, events_refused=refused, tenants=tenants)
    parts.services.start(Service("sampled metrics", partial(_keep_sampling, sampled, snapshot, unconsumed, holds)))
    registry = create_registry(parts.metrics)
    registry.register(SampledMetricsCollector(sampled))
    return registry


async def _keep_sampling(
    sampled: SampledMetrics,
    snapshot: Callable[[], Awaitable[Snapshot]],
    unconsumed: Callable[[], Unconsumed],
    holds: Holds,
) -> None:
    while True:
        state = await snapshot()
        queue, quota, now = state.queue, state.quota, time.time()
        lanes = {Lane(lane): depth for lane, depth in state.lanes.items() if depth}
        sampled.queue_messages = queue.waiting if queue else None
        sampled.queue_oldest_seconds = queue.age(now) if queue else None
        sampled.lane_queue_messages = {lane: depth.waiting for lane, depth in lanes.items()}
        sampled.lane_queue_oldest_seconds = {lane: depth.age(now) for lane, depth in lanes.items()}
        sampled.dead_letters = state.dead_letters
        sampled.in_doubt = state.in_doubt
        sampled.unconsumed = unconsumed()
        sampled.holds = Counter(hold.holder for hold in holds.list.active)
        held = await holds.mail.counts()
        sampled.held_mails = sum(held.values())
        tenants = {tenant: held.get(hold.key, 0) for hold in holds.list.active if (tenant := tenant_of(hold.key))}
        sampled.tenant_held_mails = dict(nlargest(MOST_TENANTS, tenants.items(), key=itemgetter(1)))
        sampled.quota_used = quota.used if quota else None
        sampled.quota_limit = quota.limit if quota else None
        await asyncio.sleep(_EVERY)


def watch_progress(
    parts: Parts, options: SesOptions, metrics: Metrics, oldest_unsettled: Callable[[], float | None]
) -> None:
    """Add a readiness check for stalled sources. `metrics`: those of the workers; `oldest_unsettled`: see `StallDetector`."""
    patience = max(PATIENCE, 2 * options.timeout, _MIN_MAILS / options.rate)
    detectors = [
        StallDetector(source.name, source.progress, metrics, oldest_unsettled, patience=patience)
        for source in parts.sources
    ]
    parts.services.start(*(Service("progress", detector.run) for detector in detectors))

    async def check() -> None:
        for detector in detectors:
            await detector.check()

    parts.checks[STUCK] = check
