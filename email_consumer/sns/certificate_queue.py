"""Names of certificates that nobody has seen yet, waiting to be fetched.

Anyone can invent such names, and nothing tells a genuine one from them before it was fetched. But a genuine one is asked
for again and again: SNS repeats its message, and all its other messages carry the same name. So whichever was asked for
most often comes first; and every other time any of them, so that not even somebody who asks for each invented name more
often than SNS does can keep a genuine one waiting for ever.
"""

import asyncio
import math
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable

_AT_ONCE = 4
_A_SECOND = 5.0
_BURST = 10
_MOST_NAMES = 20_000
"""About 4 MB. SNS repeats a message after 20 s: up to a thousand invented names a second, its count is kept until then."""
_MOST_WAITING = 50
"""Each holds a message of up to a megabyte."""


class StillWaitingError(Exception):
    """It was noted that the name was asked for; ask again later."""


class CertificateQueue:
    """One fetch per name at a time, few at once, few a second, and a bound to all that waits."""

    def __init__(
        self, fetch: Callable[[str], Awaitable[None]], *, a_second: float = _A_SECOND, burst: int = _BURST
    ) -> None:
        """`fetch` must not raise. It is called at most `a_second` times a second, `burst` times more after a pause."""
        self._fetch = fetch
        self._interval = 1 / a_second
        self._burst = burst
        self._asked: OrderedDict[str, int] = OrderedDict()
        """How often each name was; which was asked for last comes last."""
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._waiting = 0
        self._due = -math.inf
        """When the next fetch would begin (event-loop clock), had none been saved up."""
        self._timer: asyncio.TimerHandle | None = None
        self._fetched = asyncio.Event()
        """Set after the next fetch, whichever it is of."""
        self._any = False

    async def fetched(self, name: str, patience: float) -> None:
        """Return once it was fetched, by us or by another; `patience` in seconds.

        Raises:
            StillWaitingError: it was not; too many others wait.
        """
        if name not in self._fetching:
            self._note(name)
            self._start()
        if self._waiting >= _MOST_WAITING:
            raise StillWaitingError
        self._waiting += 1
        try:
            async with asyncio.timeout(patience):
                while name in self._asked or name in self._fetching:
                    await self._fetched.wait()
        except TimeoutError:
            raise StillWaitingError from None
        finally:
            self._waiting -= 1

    def _note(self, name: str) -> None:
        self._asked[name] = self._asked.pop(name, 0) + 1
        if len(self._asked) > _MOST_NAMES:
            self._asked.popitem(last=False)

    def _start(self) -> None:
        """As many fetches as may begin now."""
        loop = asyncio.get_running_loop()
        while self._asked and len(self._fetching) < _AT_ONCE and self._timer is None:
            now = loop.time()
            self._due = max(self._due, now - (self._burst - 1) * self._interval)
            if self._due > now:
                self._timer = loop.call_at(self._due, self._go_on)
                return
            self._due += self._interval
            name = self._pick()
            del self._asked[name]
            self._fetching[name] = asyncio.create_task(self._run(name), name="certificate")

    def _pick(self) -> str:
        self._any = not self._any
        if self._any:
            return max(self._asked, key=self._asked.__getitem__)
        return random.choice(list(self._asked))  # noqa: S311 - to whom it falls need not be a secret

    def _go_on(self) -> None:
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
