"""How late the event loop is: what blocks it delays every mail and every heartbeat."""

import asyncio

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.ticks import until_tick


async def measure(metrics: Metrics, interval: float = 1.0) -> None:
    """Note every `interval` seconds by how much the timer came late, until cancelled. Each look wakes an idle process up."""
    loop = asyncio.get_running_loop()
    while True:
        pause = until_tick(interval)
        due = loop.time() + pause
        await asyncio.sleep(pause)
        metrics.loop_lag.observe(max(0.0, loop.time() - due))
