"""Tasks that run beside something, and their end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

_AGAIN = 0.5
"""Seconds between two cancellations of the same task."""


@asynccontextmanager
async def beside(*work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run `work` until the block ends."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        yield
    finally:
        await end(*tasks)


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
