"""The version before and this one at the same time, on one stream: they guard each other by buckets whose names stay."""

import atexit
import functools
import shutil
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from ses_sandbox.testing import SandboxTask
from tests.acceptance.publisher import JetStreamPublisher, as_map, emptied
from tests.servers.daemon import Daemon, LogLine
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.upgrade.installation import FIXTURES, KEY, VERSIONS

NEW = "this version"
PAIRS = [pair for version in VERSIONS for pair in ((version, NEW), (NEW, version))]

both_orders = pytest.mark.parametrize(("first", "second"), PAIRS)

WAITING = {"lease.waiting", "tenancy.waiting"}
WORKERS = {"cluster.workers", "fleet.workers"}


@dataclass
class Surroundings:
    """What processes of all versions share; each has a directory and a database of its own."""

    directory: Path
    nats: NatsServer
    sandbox: SandboxTask
    publisher: JetStreamPublisher
    stack: AsyncExitStack
    port: int
    daemons: list[Daemon] = field(default_factory=list)

    def daemon(self, version: str, role: str, **variables: object) -> Daemon:
        """Not yet started; killed at the end."""
        place = self.directory / f"{role}-{len(self.daemons)}"
        given = {
            "NATS_URL": self.nats.url,
            "DB_PATH": str(place / "email.db"),
            "AWS_ENDPOINT_URL_SESV2": self.sandbox.url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
            "API_KEY": KEY,
            "SERVER_PORT": "0",
            "LEDGER": "sqlite" if role == "run" else "jetstream",
        } | {name: str(value) for name, value in variables.items()}
        if version == NEW:
            daemon = Daemon(place, given, role)
        else:
            program = unpack(version)
            daemon = Daemon(place, given | {"PYTHONPATH": str(program)}, role, python=sys.executable)
        self.daemons.append(daemon)
        self.stack.push_async_callback(daemon.kill)
        return daemon

    async def suppress(self, email: str, **fields: str) -> None:
        await self.ask("POST", "", {"address": email, **fields})

    async def ask(self, method: str, path: str, document: object = None) -> None:
        url = f"http://127.0.0.1:{self.port}/v1/suppressions{path}"
        async with aiohttp.ClientSession(headers={"X-API-KEY": KEY}) as session:
            await session.request(method, url, json=document, raise_for_status=True)

    async def sent(self) -> dict[str, int]:
        return dict((await self.sandbox.get("/messages/uuids"))["uuids"])


@functools.cache
def unpack(version: str) -> Path:
    """The program of a version before, as a directory for Python's path; once, since its modules are compiled there."""
    program = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, program)
    with tarfile.open(FIXTURES / version / "program.tar.xz") as tar:
        tar.extractall(program, filter="data")
    return program


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with (
        NatsServer(tmp_path / "nats") as nats,
        SandboxTask(tmp_path / "sandbox") as sandbox,
        AsyncExitStack() as stack,
    ):
        publisher = await JetStreamPublisher.connect(nats.url)
        stack.push_async_callback(publisher.close)
        [port] = free_ports(1)
        yield Surroundings(tmp_path, nats, sandbox, publisher, stack, port)


def logged(daemon: Daemon, events: set[str]) -> list[LogLine]:
    return [line for line in daemon.log if line.get("event") in events]


async def waits(daemon: Daemon) -> None:
    """Until it says that it waits for the other one."""
    await daemon.wait_until(lambda: bool(logged(daemon, WAITING)) or not daemon.running)
    assert daemon.running, daemon.log
    assert not daemon.count("daemon.started")


async def refused(daemon: Daemon, why: str) -> None:
    """It ends, and says why."""
    await daemon.launch()
    assert await daemon.ended() != 0
    assert not daemon.count("daemon.started")
    assert why in str(daemon.log), daemon.log


async def counts_two(daemon: Daemon) -> None:
    """It divides the rate by two."""
    await daemon.wait_until(lambda: any(line["workers"] == 2 for line in logged(daemon, WORKERS)))


@both_orders
async def test_one_ledger_in_a_file_waits_for_another(around: Surroundings, first: str, second: str) -> None:
    one, other = around.daemon(first, "run"), around.daemon(second, "run")
    await one.start()
    await other.launch()
    await waits(other)
    assert await one.stop() == 0
    await other.wait_until(lambda: other.count("daemon.started") > 0 or not other.running)
    assert other.running, other.log
    await around.publisher.publish([as_map("u-1")])
    await emptied(around.publisher)
    assert await around.sent() == {"u-1": 1}


@both_orders
async def test_workers_are_refused_where_a_ledger_in_a_file_is(around: Surroundings, first: str, second: str) -> None:
    await around.daemon(first, "run").start()
    await refused(around.daemon(second, "sidecar"), "`email-consumer run` with LEDGER=sqlite runs on it")


@both_orders
async def test_roles_of_both_versions_share_the_rate_and_what_stops_mail(
    around: Surroundings, first: str, second: str
) -> None:
    await around.daemon(first, "sidecar", SERVER_PORT=around.port).start()
    stopped = ["gone@example.com"]
    await around.suppress(*stopped)  # each worker reads that before it sends
    if first == NEW:  # entries that the version before does not have
        stopped += ["left@example.com", "left-and-freed@example.com"]
        for address in stopped[1:]:
            await around.suppress(address, reason="unsubscribed")
            await around.suppress(address, group="news")
        await around.suppress(stopped[2])
        await around.ask("DELETE", f"/{stopped[2]}")
    workers = around.daemon(first, "worker"), around.daemon(second, "worker")
    for worker in workers:
        await worker.start()
    for worker in workers:
        await counts_two(worker)
    await refused(around.daemon(second, "run"), "workers or a sidecar with LEDGER=jetstream are running on it")
    waiting = around.daemon(second, "sidecar")
    await waiting.launch()
    await waits(waiting)
    await workers[0].stop()  # now only the other version is left to send
    names = [f"u-{number}" for number in range(20)]
    await around.publisher.publish([as_map(address.partition("@")[0], email=address) for address in stopped])
    await around.publisher.publish([as_map(name) for name in names])
    await emptied(around.publisher)
    assert await around.sent() == dict.fromkeys(names, 1)
