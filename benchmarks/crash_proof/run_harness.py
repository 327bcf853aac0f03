"""One daemon and all it talks to, as processes that can be killed."""

import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crash_proof.harness import Harness, sandbox_process, upstream, variables
from tests.servers.daemon import Daemon
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports


@dataclass(kw_only=True)
class RunHarness(Harness):
    """`run`, with its ledger in SQLite."""

    nats: NatsServer
    daemon: Daemon
    url: str
    """Of the daemon's API."""

    async def kill_daemon(self) -> None:
        """SIGKILL, and start it again."""
        await self.daemon.kill()
        self.kills += 1
        await self.daemon.start()

    async def restart_daemon(self) -> None:
        """SIGTERM, and start it again."""
        assert await self.daemon.stop() == 0
        await self.daemon.start()

    def in_doubt(self) -> int:
        return sum(line["mails"] for line in self.daemon.log if line.get("event") == "ledger.in_doubt")


@asynccontextmanager
async def start_harness(
    directory: Path, *, seed: int, events: bool, events_to: str = "", alone: bool = False, **further: object
) -> AsyncIterator[RunHarness]:
    """Start everything; `events`: SES's events go out, to the daemon or to `events_to` (a URL).

    `alone`: the daemon shares no memory with a process that it was forked from. `further` are variables of the daemon.
    """
    [port] = free_ports(1)
    sandbox = sandbox_process(directory, events_to or f"http://127.0.0.1:{port}/v1/events/results")
    async with NatsServer(directory / "nats") as server, sandbox:
        await sandbox.put("/sandbox/events", {"enabled": events})
        environment = variables(server.url, sandbox, directory, port)
        environment |= {name: str(value) for name, value in further.items()}
        client = await upstream(server.url)
        async with Daemon(directory / "daemon", environment, python=sys.executable if alone else None) as daemon:
            yield RunHarness(
                directory=directory,
                sandbox=sandbox,
                publishers=[client.jetstream(publish_async_max_pending=1000)],
                chance=random.Random(seed),
                nats=server,
                daemon=daemon,
                url=f"http://127.0.0.1:{port}",
            )
        await client.close()
