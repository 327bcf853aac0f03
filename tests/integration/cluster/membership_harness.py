"""Workers of a fleet as the daemon has them, without the mail: a connection, a pace, a membership each."""

import asyncio
from collections.abc import Callable
from typing import Self

import nats
from nats.aio.client import Client

from email_consumer.cluster.membership import Membership
from email_consumer.jetstream.connection import close
from email_consumer.runtime.clock import elapsed
from email_consumer.runtime.tasks import end
from tests.servers.nats import NatsServer

BEAT, TTL, MARGIN = 0.4, 1.6, 0.4


class Worker:
    """Notes what its membership tells."""

    def __init__(self, client: Client, look: Callable[[], None]) -> None:
        """`look` is called at each change."""
        self.client = client
        self._look = look
        self.workers = 1
        self.held = ""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.membership = Membership(
            client,
            stream="messages",
            replicas=1,
            set_workers=self._set_workers,
            pace=self,
            beat=BEAT,
            ttl=TTL,
            margin=MARGIN,
        )

    @classmethod
    async def start(cls, server: NatsServer, look: Callable[[], None]) -> Self:
        worker = cls(await nats.connect(server.url, reconnect_time_wait=0.05, max_reconnect_attempts=-1), look)
        await worker.membership.open()
        worker._task = asyncio.create_task(worker.membership.run())
        return worker

    @property
    def alive(self) -> bool:
        return self._task is not None

    @property
    def share(self) -> float:
        """Of the rate, at this moment."""
        sends = self.alive and not self.held and elapsed() < self.membership.valid_until
        return 1 / self.workers if sends else 0.0

    def sends_as(self, workers: int) -> bool:
        return not self.held and self.workers == workers

    async def until(self, workers: int) -> None:
        """Wait until it sends as one of so many."""
        await self._until(lambda: self.sends_as(workers))

    async def until_held(self) -> None:
        await self._until(lambda: bool(self.held))

    async def die(self) -> None:
        """End without a word; a dead one stays dead."""
        if self._task:
            await end(self._task)
            self._task = None
            await close(self.client)

    async def leave(self) -> None:
        """As the daemon does when it drains."""
        assert self._task
        await end(self._task)
        self._task = None
        await self.membership.leave()
        await close(self.client)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def _set_workers(self, workers: int) -> None:
        self.workers = workers
        self._note()

    def hold(self, _: str, reason: str) -> None:
        self.held = reason
        self._note()

    def resume(self, _: str) -> None:
        self.held = ""
        self._note()

    def _note(self) -> None:
        self._look()
        self._changed.set()


class MembershipHarness:
    """Starts workers, and adds up their shares whenever one of them changes its own."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self.all: list[Worker] = []
        self.most = 0.0
        """The largest part of the rate that was ever in use."""

    async def start(self) -> Worker:
        worker = await Worker.start(self._server, self._look)
        self.all.append(worker)
        return worker

    async def until(self, workers: int) -> None:
        """Wait until all of those alive send as one of so many, at the same moment."""
        alive = [worker for worker in self.all if worker.alive]
        while not all(worker.sends_as(workers) for worker in alive):
            await asyncio.gather(*(worker.until(workers) for worker in alive))

    async def end(self) -> None:
        for worker in self.all:
            await worker.die()

    def _look(self) -> None:
        self.most = max(self.most, sum(worker.share for worker in self.all))
