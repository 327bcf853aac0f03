"""Delivers to each endpoint independently: one that is slow or dead delays no other, and costs a few connections at most."""

import asyncio
import sqlite3
import time
from dataclasses import dataclass
from functools import partial
from sqlite3 import Row

import aiosqlite
import orjson
import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.supervisor import Service, Supervisor
from email_consumer.runtime.tasks import end
from email_consumer.store.group_commit import GroupCommit
from email_consumer.webhooks import statements
from email_consumer.webhooks.endpoints import Endpoints
from email_consumer.webhooks.schedule import DISABLED_AFTER, delay
from email_consumer.webhooks.sender import Answer, WebhookSender

AT_ONCE = 8
"""Attempts under way for an endpoint; for one that fails, one."""
_LONGEST_WAIT = 60.0
_RETRY = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Settled:
    """The result of an attempt, as `statements.SETTLE` takes it."""

    id: int
    next_at: float | None
    delivered_at: float | None
    error: str | None


class Deliverer:
    """A background service."""

    def __init__(self, endpoints: Endpoints, sender: WebhookSender, metrics: Metrics) -> None:
        self._endpoints = endpoints
        self._sender = sender
        self._metrics = metrics
        self._settling: GroupCommit[_Settled, None] = GroupCommit(endpoints.database, _settle, interval=0.05)
        self._wake: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()
        endpoints.when_changed = self._changed.set

    def due(self, endpoint_ids: set[str]) -> None:
        """These endpoints have deliveries that are due."""
        for endpoint_id in endpoint_ids & self._wake.keys():
            self._wake[endpoint_id].set()

    async def run(self) -> None:
        """Until cancelled."""
        tasks: dict[str, asyncio.Task[None]] = {}
        async with Supervisor() as services:
            services.start(Service("webhook results", self._settling.run))
            try:
                while True:
                    self._changed.clear()
                    enabled = {each.id for each in self._endpoints.all if each.disabled_at is None}
                    for endpoint_id in tasks.keys() - enabled:
                        await end(tasks.pop(endpoint_id))
                        del self._wake[endpoint_id]
                    for endpoint_id in enabled - tasks.keys():
                        self._wake[endpoint_id] = asyncio.Event()
                        tasks[endpoint_id] = asyncio.create_task(self._deliver(endpoint_id))
                    await self._changed.wait()
            finally:
                for task in tasks.values():
                    await end(task)

    async def _deliver(self, endpoint_id: str) -> None:
        """Everything for one endpoint, as it becomes due."""
        wake, under_way = self._wake[endpoint_id], dict[int, asyncio.Task[None]]()
        try:
            while True:
                wake.clear()
                try:
                    wait = await self._begin(endpoint_id, under_way)
                except sqlite3.Error as error:
                    _log.debug("webhooks.again", error=str(error))
                    wait = _RETRY
                try:
                    async with asyncio.timeout(wait):
                        await wake.wait()
                except TimeoutError:
                    continue
        finally:
            for task in [*under_way.values()]:
                await end(task)

    async def _begin(self, endpoint_id: str, under_way: dict[int, asyncio.Task[None]]) -> float:
        """Begin what is due, as far as there is room; returns the seconds until something else may be."""
        endpoint = self._endpoints.get(endpoint_id)
        room = (AT_ONCE if endpoint and endpoint.failing_since is None else 1) - len(under_way)
        if room <= 0:
            return _LONGEST_WAIT
        now = time.time()
        parameters = {
            "endpoint": endpoint_id,
            "now": now,
            "limit": room,
            "excluded": orjson.dumps([*under_way]).decode(),
        }
        for row in await self._endpoints.database.fetch(statements.DUE, parameters):
            task = asyncio.create_task(self._attempt(endpoint_id, row))
            under_way[row["id"]] = task
            task.add_done_callback(partial(self._ended, endpoint_id, under_way, row["id"]))
            room -= 1
        if room == 0:
            return _LONGEST_WAIT
        ((next_at,),) = await self._endpoints.database.fetch(statements.NEXT_DUE, (endpoint_id,))
        return min(max(next_at - now, _RETRY), _LONGEST_WAIT) if next_at else _LONGEST_WAIT

    def _ended(
        self, endpoint_id: str, under_way: dict[int, asyncio.Task[None]], number: int, task: asyncio.Task[None]
    ) -> None:
        del under_way[number]
        if not task.cancelled() and (error := task.exception()):
            _log.error("webhooks.crashed", endpoint=endpoint_id, error=repr(error))
        if wake := self._wake.get(endpoint_id):
            wake.set()

    async def _attempt(self, endpoint_id: str, row: Row) -> None:
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None:
            return
        answer = await self._sender.send(endpoint, row["event_id"], row["body"], row["traceparent"])
        now = time.time()
        self._metrics.webhook_attempts["failed" if answer.error else "delivered"] += 1
        if not answer.error:
            await self._settling.submit(_Settled(row["id"], None, now, None))
        else:
            pause = delay(row["attempts"] + 1, answer.retry_after)
            next_at = None if pause is None else now + pause
            await self._settling.submit(_Settled(row["id"], next_at, None, answer.error))
            self._metrics.events_dropped["webhook"] += next_at is None
        try:
            await self._judge(endpoint_id, answer, now)
        except sqlite3.OperationalError as error:  # the next answer is judged again
            _log.debug("webhooks.again", error=str(error))

    async def _judge(self, endpoint_id: str, answer: Answer, now: float) -> None:
        """Disable an endpoint that wants no more events, or has taken none for days."""
        endpoint = self._endpoints.get(endpoint_id)
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


async def _settle(connection: aiosqlite.Connection, settled: list[_Settled]) -> list[None]:
    await connection.executemany(
        statements.SETTLE,
        [
            {"id": each.id, "next_at": each.next_at, "delivered_at": each.delivered_at, "error": each.error}
            for each in settled
        ],
    )
    return [None] * len(settled)
