"""Deliveries to one endpoint: several requests at a time, as long as it takes them."""

import asyncio
import sqlite3
import time
from sqlite3 import Row

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.tasks import end
from email_consumer.webhooks.due_deliveries import DueDeliveries
from email_consumer.webhooks.endpoint import Endpoint
from email_consumer.webhooks.endpoints import Endpoints
from email_consumer.webhooks.results import Result, Results
from email_consumer.webhooks.schedule import DISABLED_AFTER, delay
from email_consumer.webhooks.sender import Answer, WebhookSender

AT_ONCE = 8
"""Requests under way to an endpoint; to one that fails, one."""
_RETRY = 1.0

_log = structlog.get_logger(__name__)


class EndpointDeliveries:
    """`run` it while the endpoint is enabled."""

    def __init__(
        self, endpoint_id: str, endpoints: Endpoints, sender: WebhookSender, results: Results, metrics: Metrics
    ) -> None:
        self._endpoint_id = endpoint_id
        self._endpoints = endpoints
        self._sender = sender
        self._results = results
        self._metrics = metrics
        self._due = DueDeliveries(endpoints.database, endpoint_id)
        self._under_way = set[asyncio.Task[None]]()
        self._wake = asyncio.Event()

    def announce(self) -> None:
        """Something is due."""
        self._due.announce()
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; then no request is under way."""
        try:
            while True:
                self._wake.clear()
                try:
                    wait = await self._due.read(self._at_once)
                except sqlite3.Error as error:
                    _log.debug("webhooks.again", error=str(error))
                    wait = _RETRY
                self._begin()
                try:
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            await end(*self._under_way)

    @property
    def _endpoint(self) -> Endpoint | None:
        """None: it takes nothing more."""
        found = self._endpoints.get(self._endpoint_id)
        return None if found is None or found.disabled_at is not None else found

    @property
    def _at_once(self) -> int:
        endpoint = self._endpoint
        return AT_ONCE if endpoint and endpoint.failing_since is None else 1

    def _begin(self) -> None:
        """Begin what was read, as far as there is room."""
        endpoint, at_once = self._endpoint, self._at_once
        while endpoint and len(self._under_way) < at_once and (row := self._due.take()):
            task = asyncio.create_task(self._attempt(endpoint, row))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        if self._due.wanting(at_once):
            self._wake.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():  # else all of them are
            self._begin()

    async def _attempt(self, endpoint: Endpoint, row: Row) -> None:
        try:
            await self._send(endpoint, row)
        except Exception as error:  # noqa: BLE001 - it is logged
            _log.error("webhooks.crashed", endpoint=self._endpoint_id, error=repr(error))
            await asyncio.sleep(_RETRY)  # in its place, as it may crash every time
            self._due.put_back(row["id"])

    async def _send(self, endpoint: Endpoint, row: Row) -> None:
        answer = await self._sender.send(endpoint, row["event_id"], row["body"], row["traceparent"])
        now = time.time()
        result = Result(row["id"], endpoint.id, row["event_id"], row["attempts"])
        self._metrics.webhook_attempts["failed" if answer.error else "delivered"] += 1
        if not answer.error:
            result = result._replace(delivered_at=now)
        else:
            pause = delay(row["attempts"] + 1, answer.retry_after)
            next_at = None if pause is None else now + pause
            self._metrics.events_dropped["webhook"] += next_at is None
            result = result._replace(next_at=next_at, error=answer.error)
        self._results.record(result, self._settled)
        try:
            await self._judge(answer, now)
        except sqlite3.OperationalError as error:  # the next answer is judged again
            _log.debug("webhooks.again", error=str(error))

    def _settled(self, result: Result, recorded: bool) -> None:
        if recorded:
            self._due.release(result.id, result.next_at)
        else:
            self._due.put_back(result.id)
        if result.next_at or self._due.wanting(self._at_once):  # it may be due before anything that is waited for
            self._wake.set()

    async def _judge(self, answer: Answer, now: float) -> None:
        """Disable the endpoint if it wants no more events, or has taken none for days."""
        endpoint = self._endpoints.get(self._endpoint_id)
        if endpoint is None:
            return
        if answer.gone:
            await self._endpoints.disable(endpoint, "it answered 410 Gone")
        elif not answer.error:
            if endpoint.failing_since is not None:
                await self._endpoints.works(endpoint)
        elif endpoint.failing_since is None:
            await self._endpoints.fails(endpoint, now, answer.error)
        elif now - endpoint.failing_since > DISABLED_AFTER:
            await self._endpoints.disable(endpoint, f"no event was delivered for 5 days: {answer.error}")
