"""A sidecar, workers, a nats-server and the fast endpoint, for one row."""

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from nats.js.api import RetentionPolicy

from benchmarks.cores import BESIDE, UNDER_TEST, on
from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.throughput.contestants import environment
from tests.servers.fleet import Fleet
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports

_LOOK = 0.05
_KEY = "benchmark"


@dataclass(frozen=True, slots=True)
class Harness:
    fleet: Fleet
    nats: NatsServer
    endpoint: Endpoint
    publisher: Publisher
    _session: aiohttp.ClientSession

    async def wait_accepted(self, mails: int) -> None:
        """Until the endpoint has accepted so many."""
        while await self.endpoint.count() < mails:
            ended = [each for each in (self.fleet.sidecar, *self.fleet.workers) if not each.running]
            assert not ended, ended[0].log[-20:]
            await asyncio.sleep(_LOOK)

    async def call(self, method: str, path: str) -> Any:  # noqa: ANN401 - JSON
        """What the sidecar's API answers."""
        async with self._session.request(method, self.fleet.url + path, raise_for_status=True) as answer:
            return await answer.json()

    def rows(self, sql: str) -> list[Any]:
        """What the sidecar's tables say."""
        with closing(sqlite3.connect(f"file:{self.fleet.database}?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()


@asynccontextmanager
async def start_harness(
    *,
    mails: int,
    workers: int,
    rate: float,
    enforced: float = 0,
    announced: float = 100_000,
    latency: float = 0.03,
    topic: str = "",
) -> AsyncIterator[Harness]:
    """The queue is full when this yields.

    Args:
        mails: that wait in the queue.
        workers: that begin.
        rate: SES_RATE_PER_SEC, for all of them together.
        enforced: the endpoint's own limit, 0 for none.
        announced: what GetAccount says, 0 where it is forbidden.
        latency: seconds until SendEmail is answered.
        topic: of each mail; empty for none.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        endpoint = Endpoint(directory, tls=True, latency=latency, max_send_rate=enforced, account_rate=announced)
        async with NatsServer(directory / "nats") as server, endpoint:
            publisher = await Publisher.connect(server.url, topic=topic)
            await publisher.create_stream(RetentionPolicy.WORK_QUEUE)
            await publisher.publish(mails)
            variables = environment(server.url, endpoint, "fleet") | {"SES_RATE_PER_SEC": str(rate), "API_KEY": _KEY}
            [port] = free_ports(1)
            async with AsyncExitStack() as stack:
                with on(UNDER_TEST | BESIDE):  # several processes; the caller may be confined to one core
                    fleet = await stack.enter_async_context(Fleet(directory, variables, port=port, workers=workers))
                session = await stack.enter_async_context(aiohttp.ClientSession(headers={"X-API-KEY": _KEY}))
                yield Harness(fleet, server, endpoint, publisher, session)
            await publisher.close()
