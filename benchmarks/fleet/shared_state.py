"""How soon a worker joins, and knows what it must know. One nats-server, on another core than this process."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

import nats
from nats.aio.client import Client

from benchmarks.cores import BESIDE, on
from email_consumer.cluster.membership import Membership
from email_consumer.cluster.shared_state_publisher import SharedStatePublisher
from email_consumer.cluster.shared_state_watcher import SharedStateWatcher
from email_consumer.core.mail_queue import Mark
from email_consumer.suppression.compact_set import SuppressedAddresses
from tests.servers.nats import NatsServer

WORKERS = 20
CHANGES = 100
GROUP = 1000


class Pace:
    """Notes when it is let go."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    def hold(self, _holder: str, _reason: str) -> None:
        self.released.clear()

    def resume(self, _holder: str) -> None:
        self.released.set()


@asynccontextmanager
async def server() -> AsyncIterator[NatsServer]:
    with tempfile.TemporaryDirectory() as directory:
        running = NatsServer(Path(directory))
        with on(BESIDE):
            await running.restart()
        try:
            yield running
        finally:
            await running.stop()


async def joining() -> None:
    async with server() as nats_server, AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(_tasks())
        took = []
        for _ in range(WORKERS):
            client = await nats.connect(nats_server.url)
            stack.push_async_callback(client.close)
            pace = Pace()
            worker = Membership(client, stream="messages", replicas=1, set_workers=lambda _: None, pace=pace)
            began = perf_counter()
            await worker.open()
            tasks.append(asyncio.create_task(worker.run()))
            await pace.released.wait()
            took.append(perf_counter() - began)
        print(f"joining, until it sends: the very first {took[0]:.1f} s, number {WORKERS} {took[-1] * 1e3:.0f} ms")


async def suppressing(addresses: int) -> None:
    async with server() as nats_server, AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(_tasks())
        sidecar = SharedStatePublisher(await _client(nats_server, stack), stream="messages", replicas=1)
        await sidecar.open()
        table = {f"user{number}@mail{number % 1000}.example.com": "hard bounce" for number in range(addresses)}
        began = perf_counter()
        sidecar.suppress(table)
        published = perf_counter() - began
        sidecar.announce(("secret",), 0.0)
        tasks.append(asyncio.create_task(sidecar.run()))
        await sidecar.stored()
        print(
            f"{addresses:,} suppressed addresses: published in {published:.1f} s, stored in {perf_counter() - began - published:.2f} s"
        )
        heard = asyncio.Event()
        worker = SharedStateWatcher(
            await _client(nats_server, stack),
            stream="messages",
            cancel=lambda *_: heard.set(),
            suppressed=SuppressedAddresses(),
            hold=lambda _: None,
            events_since=lambda _: None,
        )
        began = perf_counter()
        tasks.append(asyncio.create_task(worker.run()))
        await worker.ready()
        print(f"  known to a worker that starts in {perf_counter() - began:.2f} s")
        delays = []
        for number in range(CHANGES):
            heard.clear()
            began = perf_counter()
            sidecar.cancel(f"topic {number}", Mark("", 1, 0.0))
            await heard.wait()
            delays.append(perf_counter() - began)
        print(f"  a cancellation reaches it in {median(delays) * 1e3:.1f} ms, at most {max(delays) * 1e3:.1f} ms")


@asynccontextmanager
async def _tasks() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Whatever is in the list ends with the block."""
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _client(nats_server: NatsServer, stack: AsyncExitStack) -> Client:
    client = await nats.connect(nats_server.url)
    stack.push_async_callback(client.close)
    return client


async def table(addresses: int) -> None:
    print("\nShared state", flush=True)
    await joining()
    await suppressing(addresses)
