"""For whoever runs the process: values for `/metrics` that have to be asked for, retention, erasure."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from prometheus_client import CollectorRegistry

from email_consumer.api.erasure_routes import ErasureRoutes
from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.unsent import Unsent
from email_consumer.dashboard.snapshot import State
from email_consumer.observe import loop_lag, rate_line
from email_consumer.observe.metrics import create_registry
from email_consumer.observe.sampled_metrics import SampledMetrics, SampledMetricsCollector
from email_consumer.roles.parts import Ground
from email_consumer.runtime.supervisor import Service
from email_consumer.sources.jetstream.unconsumed import UnconsumedWatch
from email_consumer.store.database import Database
from email_consumer.store.retention import Retention

_EVERY = 15.0
"""Seconds; as often as Prometheus usually scrapes."""
_DAY = 86_400.0


def build_operations(ground: Ground, database: Database) -> list[web.RouteDef]:
    """Keep what RETENTION_DAYS says, and forget whom operators name."""
    settings = ground.settings
    keep = max(settings.retention_days * _DAY, settings.idempotency_ttl)
    ground.services.start(Service("retention", Retention(database, keep).run))
    return ErasureRoutes(database, Unsent(ground.metrics)).routes()


def report_on(ground: Ground) -> None:
    """Once a second a line of what goes on."""
    metrics = ground.metrics
    ground.services.start(
        Service("rate line", lambda: rate_line.report(metrics)),
        Service("loop lag", lambda: loop_lag.measure(metrics)),
    )


def watch_unconsumed(ground: Ground) -> Callable[[], Unconsumed]:
    """What was found last of mail that nobody takes from the stream."""
    if ground.nats is None:
        return Unconsumed
    watch = UnconsumedWatch(ground.nats.client, ground.settings.stream)
    ground.services.start(Service("unconsumed", watch.run))
    return lambda: watch.found


def build_metrics(
    ground: Ground,
    look: Callable[[], Awaitable[State]],
    events: Counter[str],
    refused: Counter[str],
    unconsumed: Callable[[], Unconsumed],
) -> CollectorRegistry:
    """What `/metrics` tells. `events` of SES by kind, `refused` SNS messages by cause, both since the start."""
    readings = SampledMetrics(
        events_expected=bool(ground.settings.sns_topic_arns), events=events, events_refused=refused
    )
    ground.services.start(Service("sampled metrics", partial(_keep_reading, readings, look, unconsumed)))
    registry = create_registry(ground.metrics)
    registry.register(SampledMetricsCollector(readings))
    return registry


async def _keep_reading(
    readings: SampledMetrics, look: Callable[[], Awaitable[State]], unconsumed: Callable[[], Unconsumed]
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
