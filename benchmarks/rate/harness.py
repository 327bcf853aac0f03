"""The daemon, nats-server and endpoint for one row, with a queue that is full from the start."""

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.js.api import RetentionPolicy

from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import Publisher
from benchmarks.program import Program
from benchmarks.throughput.contestants import OURS, Contestant, environment
from tests.servers.nats import NatsServer

_LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Harness:
    program: Program
    endpoint: Endpoint
    publisher: Publisher
    directory: Path

    async def wait_accepted(self, mails: int) -> None:
        """Until the endpoint has accepted so many."""
        while await self.endpoint.count() < mails:
            self.program.check()
            await asyncio.sleep(_LOOK)

    async def wait_settled(self) -> None:
        """Until the stream is empty."""
        while await self.publisher.left():  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(_LOOK)

    def rate_lines(self) -> list[dict[str, Any]]:
        """The daemon's log lines of each second."""
        lines = (json.loads(line) for line in self.program.log.read_text().splitlines())
        return [line for line in lines if "peak" in line]

    def attempts_spent(self) -> int:
        """Attempts that ended in anything but Sent, by the ledger."""
        with sqlite3.connect(f"file:{self.directory / 'data' / 'email.db'}?mode=ro", uri=True) as database:
            [(attempts, sent)] = database.execute("SELECT sum(attempts), sum(status = 2) FROM email_requests")
        return int(attempts - sent)


@asynccontextmanager
async def start_harness(
    *, mails: int, rate: float, enforced: float = 0, announced: float = 100_000, contestant: Contestant = OURS
) -> AsyncIterator[Harness]:
    """`enforced` is the endpoint's own limit, 0 for none; `announced` what GetAccount says, 0 where it is forbidden."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        endpoint = Endpoint(directory, tls=True, latency=0.03, max_send_rate=enforced, account_rate=announced)
        async with NatsServer(directory / "nats") as server, endpoint:
            publisher = await Publisher.connect(server.url)
            # Peers create the stream themselves and refuse one that is a work queue.
            retention = RetentionPolicy.WORK_QUEUE if contestant is OURS else RetentionPolicy.LIMITS
            await publisher.create_stream(retention)
            await publisher.publish(mails)
            variables = environment(server.url, endpoint, "rate") | {"SES_RATE_PER_SEC": str(rate)}
            async with Program(directory / "daemon", contestant.command, variables) as program:
                yield Harness(program, endpoint, publisher, directory / "daemon")
            await publisher.close()
