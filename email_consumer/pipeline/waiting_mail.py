"""The order in which waiting mail gets its turn: transactional mail first, and bulk mail its floor, so that it never starves.

Within a lane tenants take turns, mail by mail; mail without a tenant counts as one.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from email_consumer.message.lane import Lane


class Waiter(NamedTuple):
    recipients: int
    future: asyncio.Future[bool]
    stopped: Callable[[], object]
    lane: Lane
    tenant: str | None = None


class _Turns:
    """The queue of one lane: a queue for each tenant, in the order of their turns."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str | None, deque[Waiter]] = OrderedDict()

    def __iter__(self) -> Iterator[Waiter]:
        return chain.from_iterable(self._tenants.values())

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def append(self, waiter: Waiter) -> None:
        queue = self._tenants.get(waiter.tenant)
        if queue is None:
            queue = self._tenants[waiter.tenant] = deque()
        queue.append(waiter)

    def first(self) -> Waiter | None:
        """Whose turn it is; those whose delivery was cancelled are dropped."""
        while self._tenants:
            tenant, queue = next(iter(self._tenants.items()))
            while queue and queue[0].future.done():
                queue.popleft()
            if queue:
                return queue[0]
            del self._tenants[tenant]
        return None

    def take(self, waiter: Waiter) -> None:
        """Remove what `first` returned; its tenant's next turn comes after those of all others."""
        queue = self._tenants[waiter.tenant]
        queue.popleft()
        if not queue:
            del self._tenants[waiter.tenant]
        elif len(self._tenants) > 1:
            self._tenants.move_to_end(waiter.tenant)

    def keep(self, wanted: Callable[[Waiter], bool]) -> None:
        kept = {tenant: deque(filter(wanted, queue)) for tenant, queue in self._tenants.items()}
        self._tenants = OrderedDict((tenant, queue) for tenant, queue in kept.items() if queue)


class WaitingMail:
    """A queue for each lane. `next` tells whose turn it is, `take` says that it had its turn."""

    def __init__(self, bulk_floor: float) -> None:
        """`bulk_floor`: the share of all recipients that bulk mail gets while both lanes wait; at least 0, below 1."""
        self.bulk_held = False
        """Bulk mail gets no turn, and is owed none for that time."""
        self._bulk, self._transactional = _Turns(), _Turns()
        self._share = bulk_floor / (1 - bulk_floor)
        self._owed = 0.0
        """Recipients by which bulk mail is below its floor; negative after a mail to more recipients than that."""

    def __iter__(self) -> Iterator[Waiter]:
        return chain(self._transactional, self._bulk)

    def add(self, waiter: Waiter) -> None:
        (self._transactional if waiter.lane is Lane.TRANSACTIONAL else self._bulk).append(waiter)

    def next(self) -> Waiter | None:
        """Whose turn it is; it stays in its queue."""
        bulk = None if self.bulk_held else self._bulk.first()
        if bulk and self._owed >= 1:
            return bulk
        return self._transactional.first() or bulk

    def take(self, waiter: Waiter) -> None:
        """Remove what `next` returned, since it had its turn."""
        if waiter.lane is Lane.TRANSACTIONAL:
            self._transactional.take(waiter)
            if self._bulk and not self.bulk_held:  # nothing is owed for the time in which nothing waits
                self._owed += waiter.recipients * self._share
            return
        self._bulk.take(waiter)
        self._owed = self._owed - waiter.recipients if self._transactional else 0.0

    def keep(self, wanted: Callable[[Waiter], bool]) -> None:
        """Drop all others."""
        self._bulk.keep(wanted)
        self._transactional.keep(wanted)
