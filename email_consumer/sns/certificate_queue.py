"""Queue of certificates to fetch.

Anyone can invent certificate names, and genuine ones can't be recognized before they are fetched. But genuine names are
requested repeatedly: SNS retries, and all its messages use the same certificate. So the most requested name is fetched
next; every other time a random one, so that even an attacker who requests invented names more often than SNS does
can't block a genuine one for ever.
"""

import asyncio
import math
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable

_CONCURRENT = 4
_PER_SECOND = 5.0
_BURST = 10
_MAX_NAMES = 20_000
"""About 4 MB. SNS retries after 20 s: with up to a thousand invented names per second, its count survives until then."""
_MAX_WAITING = 50
"""Each holds a message of up to 1 MB."""


class StillWaitingError(Exception):
    """Not fetched yet; the request was counted, try again later."""


class CertificateQueue:
    """Limits concurrent fetches, fetches per second, and waiting requests."""

    def __init__(
        self, fetch: Callable[[str], Awaitable[None]], *, per_second: float = _PER_SECOND, burst: int = _BURST
    ) -> None:
        """`fetch` must not raise. It is called at most `per_second` times per second, plus a `burst` after a pause."""
        self._fetch = fetch
        self._interval = 1 / per_second
        self._burst = burst
        self._requested: OrderedDict[str, int] = OrderedDict()
        """Number of requests for each name; the latest requested comes last."""
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._waiting = 0
        self._due = -math.inf
        """Earliest start of the next fetch without a burst (event-loop clock)."""
        self._timer: asyncio.TimerHandle | None = None
        self._fetched = asyncio.Event()
        """Set after the next fetch of any name."""
        self._random = False

    async def fetched(self, name: str, patience: float) -> None:
        """Return once it was fetched; `patience` in seconds.

        Raises:
            StillWaitingError: it was not fetched in time, or too many requests are waiting.
        """
        if name not in self._fetching:
            self._count(name)
            self._start()
        if self._waiting >= _MAX_WAITING:
            raise StillWaitingError
        self._waiting += 1
        try:
            async with asyncio.timeout(patience):
                while name in self._requested or name in self._fetching:
                    await self._fetched.wait()
        except TimeoutError:
            raise StillWaitingError from None
        finally:
            self._waiting -= 1

    def _count(self, name: str) -> None:
        self._requested[name] = self._requested.pop(name, 0) + 1
        if len(self._requested) > _MAX_NAMES:
            self._requested.popitem(last=False)

    def _start(self) -> None:
        """Start as many fetches as the limits allow."""
        loop = asyncio.get_running_loop()
        while self._requested and len(self._fetching) < _CONCURRENT and self._timer is None:
            now = loop.time()
            self._due = max(self._due, now - (self._burst - 1) * self._interval)
            if self._due > now:
                self._timer = loop.call_at(self._due, self._timer_fired)
                return
            self._due += self._interval
            name = self._pick()
            del self._requested[name]
            self._fetching[name] = asyncio.create_task(self._run(name), name="certificate")

    def _pick(self) -> str:
        self._random = not self._random
        if self._random:
            return max(self._requested, key=self._requested.__getitem__)
        return random.choice(list(self._requested))  # noqa: S311 - need not be unpredictable

    def _timer_fired(self) -> None:
        self._timer = None
        self._start()

    async def _run(self, name: str) -> None:
        try:
            await self._fetch(name)
        finally:
            del self._fetching[name]
            self._fetched.set()
            self._fetched = asyncio.Event()
            self._start()
