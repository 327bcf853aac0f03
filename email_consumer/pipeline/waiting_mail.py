"""The order in which waiting mail gets its turn: transactional mail first, and bulk mail its floor, so that it never starves."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from email_consumer.message.lane import Lane


class Waiter(NamedTuple):
    recipients: int
    future: asyncio.Future[bool]
    stopped: Callable[[], object]
    lane: Lane


class WaitingMail:
    """A queue for each lane. `next` tells whose turn it is, `take` says that it had its turn."""

    def __init__(self, bulk_floor: float) -> None:
        """`bulk_floor`: the share of all recipients that bulk mail gets while both lanes wait; at least 0, below 1."""
        self.bulk_held = False
        """Bulk mail gets no turn, and is owed none for that time."""
        self._bulk: deque[Waiter] = deque()
        self._transactional: deque[Waiter] = deque()
        self._share = bulk_floor / (1 - bulk_floor)
        self._owed = 0.0
        """Recipients by which bulk mail is below its floor; negative after a mail to more recipients than that."""

    def __iter__(self) -> Iterator[Waiter]:
        return chain(self._transactional, self._bulk)

    def add(self, waiter: Waiter) -> None:
        (self._transactional if waiter.lane is Lane.TRANSACTIONAL else self._bulk).append(waiter)

    def next(self) -> Waiter | None:
        """Whose turn it is; it stays in its queue."""
        bulk = None if self.bulk_held else _first(self._bulk)
        if bulk and self._owed >= 1:
            return bulk
        return _first(self._transactional) or bulk

    def take(self, waiter: Waiter) -> None:
        """Remove what `next` returned, since it had its turn."""
        if waiter.lane is Lane.TRANSACTIONAL:
            self._transactional.popleft()
            if self._bulk and not self.bulk_held:  # nothing is owed for the time in which nothing waits
                self._owed += waiter.recipients * self._share
            return
        self._bulk.popleft()
        self._owed = self._owed - waiter.recipients if self._transactional else 0.0

    def keep(self, wanted: Callable[[Waiter], bool]) -> None:
        """Drop all others."""
        self._bulk = deque(filter(wanted, self._bulk))
        self._transactional = deque(filter(wanted, self._transactional))


def _first(queue: deque[Waiter]) -> Waiter | None:
    while queue and queue[0].future.done():  # its delivery was cancelled
        queue.popleft()
    return queue[0] if queue else None
