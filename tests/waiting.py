"""How tests wait: for what they asked for, never for a length of time."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 200
"""Seconds until any wait is given up. It ends only tests that fail anyway, so it may be long: machines are busy."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.2
"""Seconds from one look to the next: ever more, since looking costs the machine what the awaited needs."""


def patience() -> asyncio.Timeout:
    """For a block that waits."""
    return asyncio.timeout(PATIENCE)


async def until(condition: Callable[[], object | Awaitable[object]]) -> None:
    """Until it holds, where no signal tells: the condition, async or not, is asked again and again."""
    pause = _FIRST_PAUSE
    async with patience():
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)


async def turns_of_the_loop(count: int = 10) -> None:
    """In which the other side, on the same event loop, sees what has come."""
    for _ in range(count):
        await asyncio.sleep(0)
