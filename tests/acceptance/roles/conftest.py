"""Two workers and a sidecar as processes, on a real nats-server and the sandbox, whose events come back to the sidecar."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest_asyncio

from ses_sandbox.testing import SandboxTask
from tests.acceptance.feedback_loop import sandbox_with_events, variables_for
from tests.acceptance.publisher import JetStreamPublisher, as_map, emptied
from tests.servers.daemon import Daemon
from tests.servers.fleet import Fleet
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.waiting import until

KEY = "acceptance"
RATE = 200


@dataclass
class FleetHarness:
    """What all tests of a file use together: each has uuids and topics of its own."""

    directory: Path
    variables: dict[str, str]
    nats: NatsServer
    sandbox: SandboxTask
    fleet: Fleet
    publisher: JetStreamPublisher
    session: aiohttp.ClientSession

    def another(self, role: str, **variables: str) -> Daemon:
        """A process beside the fleet, with a file of its own."""
        return Daemon(self.directory / f"another-{role}", self.variables | {"SERVER_PORT": "0"} | variables, role)

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON answer of the sidecar."""
        url = f"{self.fleet.url}{path}"
        async with self.session.request(method, url, json=body, raise_for_status=True) as response:
            return await response.json()

    @staticmethod
    def url(worker: Daemon) -> str:
        return f"http://127.0.0.1:{worker.said('sidecar.listening')['port']}"

    async def metric(self, worker: Daemon, name: str) -> float:
        """Of a worker, with its labels."""
        async with self.session.get(f"{self.url(worker)}/metrics", raise_for_status=True) as response:
            lines = (await response.text()).splitlines()
        [value] = [line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == name]
        return float(value)

    async def until_known(self, suppressed: str) -> None:
        """Workers hear of an address a moment after the sidecar's answer: until each has stopped a mail to it, the first one."""
        number = 0
        while not all(
            [await self.metric(worker, 'email_unsent_total{reason="suppressed"}') for worker in self.fleet.workers]
        ):
            number += 1
            mails = [as_map(f"known-{number}-{each}", email=suppressed) for each in range(4)]
            await self.publisher.publish(mails)
            await self.emptied()

    async def counts(self, topic: str) -> dict[str, int]:
        """Of the topic's mails by status."""
        counts: dict[str, int] = (await self.ask("GET", f"/v1/topics/{topic}"))["request_counts"]
        return counts

    async def until_counts(self, topic: str, **expected: int) -> None:
        """Until these statuses have so many mails."""

        async def counted() -> bool:
            return expected.items() <= (await self.counts(topic)).items()

        await until(counted)

    async def sent(self, prefix: str = "") -> dict[str, int]:
        """How often each uuid that begins so reached SES."""
        uuids = (await self.sandbox.get("/messages/uuids"))["uuids"]
        return {uuid: times for uuid, times in uuids if uuid.startswith(prefix)}

    async def until_sent(self, prefix: str, count: int) -> None:
        """Until SES has accepted so many of them."""

        async def all_sent() -> bool:
            return len(await self.sent(prefix)) >= count

        await until(all_sent)

    async def lose(self, stream: str) -> None:
        """As if an operator had deleted it, or a server had lost its disk."""
        client = await nats.connect(self.nats.url)
        await client.jetstream().delete_stream(stream)
        await client.close()

    async def emptied(self) -> None:
        """Until every message is settled for good."""
        await emptied(self.publisher)

    def dump(self) -> dict[str, set[tuple[Any, ...]]]:
        """All rows of the sidecar's file that have a copy: neither what is still to be copied nor the index of addresses."""
        tables = {name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        copied = {
            name
            for name in tables
            if not name.startswith(
                ("sqlite_", "replica_", "mail_addresses", "mail_domains", "mail_incidents", "mail_topics")
            )
        }
        return {name: set(self.rows(f"SELECT * FROM {name}")) for name in copied}  # noqa: S608 - our own tables

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the sidecar's file says."""
        with closing(sqlite3.connect(f"file:{self.fleet.database}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def harness(tmp_path_factory: Any) -> AsyncIterator[FleetHarness]:
    directory = tmp_path_factory.mktemp("roles")
    [port] = free_ports(1)
    sandbox = sandbox_with_events(directory, port)
    async with NatsServer(directory / "nats") as nats, sandbox:
        variables = await variables_for(directory, nats, sandbox) | {"API_KEY": KEY, "SES_RATE_PER_SEC": str(RATE)}
        publisher = await JetStreamPublisher.connect(nats.url)
        async with (
            Fleet(directory, variables, port=port, workers=2) as fleet,
            aiohttp.ClientSession(headers={"X-API-KEY": KEY}) as session,
        ):
            for worker in fleet.workers:  # in a fleet's first seconds nobody sends
                while (await worker.wait_for("cluster.workers"))["workers"] < len(fleet.workers):
                    await worker.wait_for("cluster.workers", worker.count("cluster.workers") + 1)
            yield FleetHarness(directory, variables, nats, sandbox, fleet, publisher, session)
        await publisher.close()
