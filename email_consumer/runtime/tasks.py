"""The end of tasks."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_AGAIN = 0.5
"""Seconds between two cancellations of the same task."""


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
