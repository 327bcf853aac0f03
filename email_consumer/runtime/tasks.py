"""Tasks that run beside something, and their end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

Result = TypeVar("Result")

_AGAIN = 0.5
"""Seconds between two cancellations of the same task."""
_RESTART_PAUSE = 1.0

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def beside(*work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run `work` until the block ends. Work that raises is an error line, and begins again after a second.

    Raised out of the block it would come too late for whoever waits for that work meanwhile.
    """
    tasks = [asyncio.create_task(_again_and_again(each)) for each in work]
    try:
        yield
    finally:
        await end(*tasks)


async def until_done(work: Coroutine[Any, Any, Result], over: asyncio.Future[Any]) -> asyncio.Task[Result]:
    """`work` as a task that has ended: by itself, or cancelled (`cancelling` tells) because `over` was done first."""
    task = asyncio.create_task(work)
    try:
        either: set[asyncio.Future[Any]] = {task, over}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(task)
    return task


async def end(*tasks: asyncio.Task[object]) -> None:
    """Cancel, and wait until all are done.

    More than once where needed: before Python 3.12 `asyncio.wait_for`, which nats-py waits with, swallows a
    cancellation that comes in the same turn of the loop as its result.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN)


async def _again_and_again(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - it is said, with all that is known of it
            _log.exception("task.crashed", task=getattr(work, "__qualname__", repr(work)), restart_in=_RESTART_PAUSE)
            await asyncio.sleep(_RESTART_PAUSE)
        else:
            return
