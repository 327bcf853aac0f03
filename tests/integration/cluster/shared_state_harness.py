"""A sidecar's and a worker's side of the shared state, as the daemon has them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import nats
from nats.aio.client import Client

from email_consumer.cluster.shared_state_publisher import SharedStatePublisher
from email_consumer.cluster.shared_state_watcher import SharedStateWatcher
from email_consumer.core.mail_queue import Mark
from email_consumer.jetstream.connection import close
from email_consumer.runtime.tasks import end
from email_consumer.suppression.compact_set import SuppressedAddresses
from tests.servers.nats import NatsServer

PULSE, HEARTBEAT, SILENCE = 0.1, 0.2, 0.5


class Worker:
    """What one worker knows."""

    def __init__(self, client: Client) -> None:
        self.cancelled: dict[str, Mark] = {}
        self.suppressed = SuppressedAddresses()
        self.holds: dict[str, bool] = {}
        self.events_since = 0.0
        self._changed = asyncio.Event()
        self.watcher = SharedStateWatcher(
            client,
            stream="messages",
            cancel=self._cancel,
            suppressed=self.suppressed,
            hold=self._hold,
            events_since=self._events,
            heartbeat=HEARTBEAT,
            silence=SILENCE,
        )

    async def until(self, condition: Callable[["Worker"], bool]) -> None:
        """Wait until it holds. A shard of addresses comes without a signal, so a fact that has one must follow it."""
        while not condition(self):
            await self.next_change()

    async def next_change(self) -> None:
        """Wait until it learns something, which may be what it knew."""
        self._changed.clear()
        await self._changed.wait()

    def _cancel(self, topic_id: str, mark: Mark) -> None:
        self.cancelled[topic_id] = mark
        self._changed.set()

    def _hold(self, keys: Mapping[str, bool]) -> None:
        self.holds = dict(keys)
        self._changed.set()

    def _events(self, since: float) -> None:
        self.events_since = since
        self._changed.set()


@asynccontextmanager
async def connected(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
    yield client
    await close(client)


@asynccontextmanager
async def worker(server: NatsServer) -> AsyncIterator[Worker]:
    """One that follows the shared state for the block."""
    async with connected(server) as client:
        worker = Worker(client)
        async with running(worker.watcher):
            yield worker


@asynccontextmanager
async def sidecar(server: NatsServer) -> AsyncIterator[SharedStatePublisher]:
    """One that is opened, and not running yet."""
    async with connected(server) as client:
        publisher = SharedStatePublisher(client, stream="messages", replicas=1, pulse=PULSE)
        await publisher.open()
        yield publisher


@asynccontextmanager
async def running(part: SharedStatePublisher | SharedStateWatcher) -> AsyncIterator[None]:
    task = asyncio.create_task(part.run())
    try:
        yield
    finally:
        await end(task)
