"""Ending tasks reliably."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_AGAIN = 0.5
"""Seconds between two cancellations of the same task."""


async def until_done(work: Coroutine[Any, Any, Result], over: asyncio.Future[Any]) -> asyncio.Task[Result]:
    """Run `work` to its end, or cancel it once `over` is done; the returned task has ended, and `cancelling()` says which."""
    task = asyncio.create_task(work)
    try:
        either: set[asyncio.Future[Any]] = {task, over}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(task)
    return task


async def end(*tasks: asyncio.Task[object]) -> None:
    """Cancel tasks and wait until all are done.

    A task is cancelled repeatedly if necessary: before Python 3.12 `asyncio.wait_for`, which nats-py uses, swallows a
    cancellation that arrives in the same iteration of the event loop as the result.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN)
