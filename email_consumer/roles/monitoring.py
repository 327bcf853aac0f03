"""What operators watch: `/metrics`, the rate line, mail that waits while none moves, mail that nobody consumes."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from prometheus_client import CollectorRegistry

from email_consumer.api.erasure_routes import ErasureRoutes
from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.metrics import Metrics
from email_consumer.core.readiness import STUCK
from email_consumer.core.stall_detector import PATIENCE, StallDetector
from email_consumer.core.unsent import Unsent
from email_consumer.dashboard.snapshot import Snapshot
from email_consumer.observe import loop_lag, rate_line
from email_consumer.observe.metrics import create_registry
from email_consumer.observe.sampled_metrics import SampledMetrics, SampledMetricsCollector
from email_consumer.roles.parts import Parts
from email_consumer.runtime.supervisor import Service
from email_consumer.sources.unconsumed import UnconsumedWatch
from email_consumer.store.database import Database
from email_consumer.store.retention import Retention

_EVERY = 15.0
"""Seconds; as often as Prometheus usually scrapes."""
_DAY = 86_400.0

_FEW = 3
"""Mails that the rate lets go in the time of patience, at the least."""


def build_operations(parts: Parts, database: Database) -> list[web.RouteDef]:
    """Keep what RETENTION_DAYS says, and forget whom operators name."""
    settings = parts.settings
    keep = max(settings.retention_days * _DAY, settings.idempotency_ttl)
    parts.services.start(Service("retention", Retention(database, keep).run))
    return ErasureRoutes(database, Unsent(parts.metrics)).routes()


def report_on(parts: Parts) -> None:
    """Once a second a line of what goes on."""
    metrics = parts.metrics
    parts.services.start(
        Service("rate line", lambda: rate_line.report(metrics)),
        Service("loop lag", lambda: loop_lag.measure(metrics)),
    )


def watch_unconsumed(parts: Parts) -> Callable[[], Unconsumed]:
    """What was found last of mail that no consumer takes."""
    watch = UnconsumedWatch(parts.sources)
    parts.services.start(Service("unconsumed", watch.run))
    return lambda: watch.found


def build_metrics(
    parts: Parts,
    look: Callable[[], Awaitable[Snapshot]],
    events: Counter[str],
    refused: Counter[str],
    unconsumed: Callable[[], Unconsumed],
) -> CollectorRegistry:
    """What `/metrics` tells. `events` of SES by kind, `refused` SNS messages by cause, both since the start."""
    readings = SampledMetrics(
        events_expected=bool(parts.settings.sns_topic_arns), events=events, events_refused=refused
    )
    parts.services.start(Service("sampled metrics", partial(_keep_reading, readings, look, unconsumed)))
    registry = create_registry(parts.metrics)
    registry.register(SampledMetricsCollector(readings))
    return registry


async def _keep_reading(
    readings: SampledMetrics, look: Callable[[], Awaitable[Snapshot]], unconsumed: Callable[[], Unconsumed]
) -> None:
    while True:
        state = await look()
        queue, quota, now = state.queue, state.quota, time.time()
        readings.queue_messages = queue.waiting if queue else None
        readings.queue_oldest_seconds = max(0.0, now - (queue.oldest_at or now)) if queue else None
        readings.dead_letters = state.dead_letters
        readings.in_doubt = state.in_doubt
        readings.unconsumed = unconsumed()
        readings.quota_used = quota.used if quota else None
        readings.quota_limit = quota.limit if quota else None
        await asyncio.sleep(_EVERY)


def watch_progress(parts: Parts, metrics: Metrics, oldest_unsettled: Callable[[], float | None]) -> None:
    """From here on `/ready` tells. `metrics` are the workers', as far as known here; for `oldest_unsettled` see `StallDetector`."""
    settings = parts.settings
    patience = max(PATIENCE, 2 * settings.ses_timeout, _FEW / settings.ses_rate_per_sec)
    watchers = [
        StallDetector(source.name, source.progress, metrics, oldest_unsettled, patience=patience)
        for source in parts.sources
    ]
    parts.services.start(*(Service("progress", watcher.run) for watcher in watchers))

    async def check() -> None:
        for watcher in watchers:
            await watcher.check()

    parts.checks[STUCK] = check
