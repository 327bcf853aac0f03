"""Four workers, a sidecar and three NATS nodes, as processes that can be killed."""

import asyncio
import random
import signal
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from nats.aio.client import Client

from benchmarks.crash_proof.claims import unfinished_claims
from benchmarks.crash_proof.harness import Count, Harness, sandbox_process, upstream, variables
from tests.servers.daemon import Daemon
from tests.servers.fleet import Fleet
from tests.servers.nats_cluster import NatsCluster
from tests.servers.ports import free_ports

WORKERS = 4
_PUBLISHERS = 2
_EVENT_DELAY = 1.0
"""Seconds until SES tells; so a look right after a kill shows what is in doubt."""
_LOOK = 0.2


@dataclass(kw_only=True)
class FleetHarness(Harness):
    """The roles apart, with their ledger in JetStream. Who was killed comes back while the run goes on."""

    cluster: NatsCluster
    fleet: Fleet
    client: Client
    doubts: int = 0
    at_work: list[Daemon] = field(default_factory=list)
    """The workers that run and are not stopped."""
    returning: list[asyncio.Task[None]] = field(default_factory=list)

    async def kill_worker(self) -> None:
        worker = await self._some_worker()
        name = worker.said("ledger.opened")["worker"]
        await worker.kill()
        self.kills += 1
        self._later(self._start_again(worker))
        self.doubts += await unfinished_claims(self.client, name)

    async def stop_worker(self, seconds: float) -> None:
        """SIGSTOP one; it is woken up after so long."""
        worker = await self._some_worker()
        worker.signal(signal.SIGSTOP)
        self._later(self._wake_up(worker, seconds))

    async def kill_sidecar(self) -> None:
        await self.fleet.sidecar.kill()
        self.kills += 1
        await asyncio.sleep(self.chance.uniform(0, 2))
        await self.fleet.sidecar.start_again()

    async def kill_node(self) -> None:
        """One at a time: without two of three all would only wait."""
        node = self.chance.choice(list(self.cluster.nodes.values()))
        await node.kill()
        self.kills += 1
        await asyncio.sleep(self.chance.uniform(0, 2))
        await node.restart()

    async def finish(self) -> Count:
        """Also look whether the sidecar's tables came to show what happened."""
        await asyncio.gather(*self.returning)
        count = await super().finish()
        await self.emptied("messages-outcomes")
        with closing(sqlite3.connect(f"file:{self.fleet.database}?mode=ro", uri=True)) as database:
            shown = {uuid for (uuid,) in database.execute("SELECT uuid FROM email_requests WHERE status = 2")}
        return replace(count, misshown=sum(uuid not in shown for uuid in self.uuids))

    def in_doubt(self) -> int:
        return self.doubts

    async def _some_worker(self) -> Daemon:
        while not self.at_work:  # noqa: ASYNC110 - rare, and nobody tells
            await asyncio.sleep(_LOOK)
        worker = self.chance.choice(self.at_work)
        self.at_work.remove(worker)
        return worker

    def _later(self, what: Coroutine[None, None, None]) -> None:
        self.returning.append(asyncio.create_task(what))

    async def _start_again(self, worker: Daemon) -> None:
        await worker.start_again()
        self.at_work.append(worker)

    async def _wake_up(self, worker: Daemon, seconds: float) -> None:
        await asyncio.sleep(seconds)
        worker.signal(signal.SIGCONT)
        self.at_work.append(worker)


@asynccontextmanager
async def start_fleet_harness(directory: Path, *, seed: int, **further: object) -> AsyncIterator[FleetHarness]:
    """Start everything; `further` are variables of all roles."""
    [port] = free_ports(1)
    sandbox = sandbox_process(directory, f"http://127.0.0.1:{port}/v1/events/results")
    async with NatsCluster(directory / "nats") as cluster, sandbox:
        await sandbox.put("/sandbox/events", {"enabled": True, "delay": _EVENT_DELAY})
        environment = variables(",".join(cluster.urls), sandbox, directory, port)
        environment |= {"NATS_REPLICAS": "3"} | {name: str(value) for name, value in further.items()}
        clients = [await upstream(cluster.urls) for _ in range(_PUBLISHERS)]
        async with Fleet(directory, environment, port=port, workers=WORKERS) as fleet:
            yield FleetHarness(
                directory=directory,
                sandbox=sandbox,
                publishers=[client.jetstream(publish_async_max_pending=1000) for client in clients],
                chance=random.Random(seed),
                cluster=cluster,
                fleet=fleet,
                client=clients[0],
                at_work=list(fleet.workers),
            )
        for client in clients:
            await client.close()
