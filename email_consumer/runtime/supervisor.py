"""Starts the services of a process, restarts them where that helps, and drains and stops them in reverse order.

A service is a coroutine that runs for as long as the process does. Its dependencies are started before it, so in reverse
order each service stops while everything it needs is still running.
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
    """The crash is logged and the service restarts after a pause; the others carry on."""
    EXIT = auto()
    """The process ends with the error at once: without this service it must not send, or would only appear to work."""


@dataclass(frozen=True, slots=True)
class Service:
    """One background activity of a process."""

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]
    """Runs until cancelled, or until `drain` lets it finish."""
    drain: Callable[[], Awaitable[None]] | None = None
    """Stops accepting work and finishes what has begun, while all services are still running."""
    on_crash: OnCrash = OnCrash.RESTART


class Supervisor:
    """An asynchronous context manager: everything started in its block has ended when the block is left."""

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
                self._crash.exception()  # already raised to the caller; asyncio must not report it a second time

    def start(self, *services: Service) -> None:
        """Start services, in this order."""
        for service in services:
            task = asyncio.create_task(self._keep_running(service), name=service.name)
            self._started.append(service)
            self._ends.push_async_callback(end, task)

    async def enter(self, resource: AbstractAsyncContextManager[Resource]) -> Resource:
        """Open a resource, which is closed after all services started later have ended."""
        return await self._ends.enter_async_context(resource)

    def at_end(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call `callback` after all services started later have ended."""
        self._ends.push_async_callback(callback)

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for `stop`, then drain the services.

        Raises:
            Exception: the error of a service whose crash ends the process, as soon as it occurs.
        """
        await self.unless_crashed(stop.wait())
        for service in reversed(self._started):
            if service.drain:
                await self.unless_crashed(service.drain())

    async def unless_crashed(self, work: Awaitable[Resource]) -> Resource:
        """Wait for `work` and return its result.

        Raises:
            Exception: as `run`.
        """
        task = await until_done(_awaited(work), self._crash)
        if self._crash.done():
            self._crash.result()
        return task.result()

    async def _keep_running(self, service: Service) -> None:
        if service.on_crash is OnCrash.RESTART:
            await restarted(service)
            return
        try:
            await service.run()
        except Exception as error:  # noqa: BLE001 - it ends the process
            if not self._crash.done():
                self._crash.set_exception(error)


async def restarted(service: Service) -> None:
    """Run a service, again after each crash: for those that are started and ended while a supervisor runs."""
    while True:
        try:
            await service.run()
        except Exception:  # noqa: BLE001 - it is logged
            _log.exception("service.crashed", service=service.name, restart_in=RESTART_PAUSE)
            await asyncio.sleep(RESTART_PAUSE)
        else:
            return


@asynccontextmanager
async def supervised(*services: Service) -> AsyncIterator[None]:
    """Run services, restarted when they crash, until the block ends."""
    async with Supervisor() as supervisor:
        supervisor.start(*services)
        yield


async def _awaited(work: Awaitable[Resource]) -> Resource:
    return await work
