"""Delivers to each endpoint independently: one that is slow or dead delays no other, and costs a few connections at most."""

import asyncio
from functools import partial

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.supervisor import Service, Supervisor, restarted
from email_consumer.runtime.tasks import end
from email_consumer.webhooks.endpoint_deliveries import EndpointDeliveries
from email_consumer.webhooks.endpoints import Endpoints
from email_consumer.webhooks.results import Results
from email_consumer.webhooks.sender import WebhookSender


class Deliverer:
    """A background service."""

    def __init__(self, endpoints: Endpoints, sender: WebhookSender, metrics: Metrics) -> None:
        self._endpoints = endpoints
        self._sender = sender
        self._metrics = metrics
        self._results = Results(endpoints.database)
        self._deliveries: dict[str, EndpointDeliveries] = {}
        self._changed = asyncio.Event()
        endpoints.when_changed = self._changed.set

    def due(self, endpoint_ids: set[str]) -> None:
        """These endpoints have deliveries that are due."""
        for endpoint_id in endpoint_ids & self._deliveries.keys():
            self._deliveries[endpoint_id].announce()

    async def run(self) -> None:
        """Until cancelled; results of what was delivered are recorded if the file accepts writes."""
        tasks: dict[str, asyncio.Task[None]] = {}
        async with Supervisor() as services:
            services.start(Service("webhook results", self._results.run))
            try:
                while True:
                    self._changed.clear()
                    enabled = {each.id for each in self._endpoints.all if each.disabled_at is None}
                    for endpoint_id in tasks.keys() - enabled:
                        await end(tasks.pop(endpoint_id))
                        self._deliveries.pop(endpoint_id, None)
                    for endpoint_id in enabled - tasks.keys():
                        service = Service(f"webhook {endpoint_id}", partial(self._deliver, endpoint_id))
                        tasks[endpoint_id] = asyncio.create_task(restarted(service))
                    await self._changed.wait()
            finally:
                await end(*tasks.values())
                self._deliveries.clear()
                await self._results.flush()

    async def _deliver(self, endpoint_id: str) -> None:
        """With nothing in memory: after a crash, the table has what was there."""
        deliveries = self._deliveries[endpoint_id] = EndpointDeliveries(
            endpoint_id, self._endpoints, self._sender, self._results, self._metrics
        )
        await deliveries.run()
