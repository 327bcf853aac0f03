"""Moments that services share: an idle process wakes up once for all of them, with warm caches for all but the first."""

import asyncio


def until_tick(interval: float) -> float:
    """Seconds until a whole multiple of `interval` by the event loop's clock: the next one at least half of it away.

    A service that sleeps this long keeps to its interval, however long its own work takes.
    """
    passed = asyncio.get_running_loop().time() % interval
    rest = interval - passed
    return rest if rest >= interval / 2 else rest + interval
