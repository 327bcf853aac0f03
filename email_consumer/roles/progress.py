"""Watches all sources for mail that waits while none moves."""

from collections.abc import Callable

from email_consumer.core.metrics import Metrics
from email_consumer.core.readiness import STUCK
from email_consumer.core.standstill import PATIENCE, Standstill
from email_consumer.roles.parts import Ground
from email_consumer.runtime.supervisor import Service
from email_consumer.sources.progress import progress_of_consumer, progress_of_queue

_FEW = 3
"""Mails that the rate lets go in the time of patience, at the least."""


def watch_progress(ground: Ground, metrics: Metrics, oldest_in_hand: Callable[[], float | None]) -> None:
    """From here on `/ready` tells. `metrics` are the workers', as far as known here; for `oldest_in_hand` see `Standstill`."""
    settings = ground.settings
    patience = max(PATIENCE, 2 * settings.ses_timeout, _FEW / settings.ses_rate_per_sec)
    asks = {}
    if ground.nats:
        asks["nats"] = progress_of_consumer(ground.nats.client, settings.stream, settings.consumer)
    if ground.sqs:
        asks["sqs"] = progress_of_queue(ground.sqs.queue)
    watchers = [Standstill(name, ask, metrics, oldest_in_hand, patience=patience) for name, ask in asks.items()]
    ground.services.start(*(Service("progress", watcher.run) for watcher in watchers))

    async def check() -> None:
        for watcher in watchers:
            await watcher.check()

    ground.checks[STUCK] = check
