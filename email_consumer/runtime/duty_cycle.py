"""The duty cycle of long work in the background, which leaves most of the time to others."""

import asyncio
import time


async def rest(began: float, share: float) -> None:
    """Sleep, so that the work since `began` (by `time.monotonic`) has taken no more than `share` of the time."""
    await asyncio.sleep((time.monotonic() - began) * (1 / share - 1))
