"""The services of a process: started, restarted where that helps, drained and stopped, the last one started first.

A service is a coroutine that runs for as long as the process does. What it depends on is started before it, so the
reverse order lets each end while everything it needs still runs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from email_consumer.runtime.tasks import end, until_done

Resource = TypeVar("Resource")

RESTART_PAUSE = 1.0
"""Seconds."""

_log = structlog.get_logger(__name__)


class OnCrash(Enum):
    """What happens when a service raises."""

    RESTART = auto()
    """It is logged and started again after a pause; the other services carry on."""
    EXIT = auto()
    """The process ends with the error at once: without this service it must not send, or would only seem to work."""


@dataclass(frozen=True, slots=True)
class Service:
    """One background activity of a process."""

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]
    """Runs until it is cancelled, or until `drain` lets it end."""
    drain: Callable[[], Awaitable[None]] | None = None
    """Takes on no more work and finishes what was begun, while all services still run."""
    on_crash: OnCrash = OnCrash.RESTART


class Supervisor:
    """An asynchronous context manager: whatever was started in its block has ended when the block is left."""

    def __init__(self) -> None:
        self._ends = AsyncExitStack()
        self._started: list[Service] = []
        self._crash: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._ends.__aexit__(kind, error, trace)
        finally:
            if self._crash.done():
                self._crash.exception()  # whoever waits for it has it; asyncio must not report it once more

    def start(self, *services: Service) -> None:
        """They run from now on."""
        for service in services:
            task = asyncio.create_task(self._keep_running(service), name=service.name)
            self._started.append(service)
            self._ends.push_async_callback(end, task)

    async def enter(self, resource: AbstractAsyncContextManager[Resource]) -> Resource:
        """Open a resource, to be closed when all services that were started after it have ended."""
        return await self._ends.enter_async_context(resource)

    def at_end(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call when all services that are started after this have ended."""
        self._ends.push_async_callback(callback)

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for `stop`, then drain the services.

        Raises:
            Exception: what a service raised whose crash ends the process, as soon as it does.
        """
        await self.unless_crashed(stop.wait())
        for service in reversed(self._started):
            if service.drain:
                await self.unless_crashed(service.drain())

    async def unless_crashed(self, work: Awaitable[Resource]) -> Resource:
        """The result of `work`, however long that takes.

        Raises:
            Exception: as with `run`.
        """
        task = await until_done(_awaited(work), self._crash)
        if self._crash.done():
            self._crash.result()
        return task.result()

    async def _keep_running(self, service: Service) -> None:
        while True:
            try:
                await service.run()
            except Exception as error:  # noqa: BLE001 - it is logged, or ends the process
                if service.on_crash is OnCrash.EXIT:
                    if not self._crash.done():
                        self._crash.set_exception(error)
                    return
                _log.exception("service.crashed", service=service.name, restart_in=RESTART_PAUSE)
                await asyncio.sleep(RESTART_PAUSE)
            else:
                return


@asynccontextmanager
async def supervised(*services: Service) -> AsyncIterator[None]:
    """Run services that restart until the block ends."""
    async with Supervisor() as supervisor:
        supervisor.start(*services)
        yield


async def _awaited(work: Awaitable[Resource]) -> Resource:
    return await work
