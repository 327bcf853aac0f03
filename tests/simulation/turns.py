"""Whose turn it was at each pacer while mail of both lanes waited there."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

from email_consumer.message.lane import Lane
from email_consumer.pipeline.waiting_mail import Waiter, WaitingMail
from tests.simulation.world import World


@dataclass(slots=True)
class _Contention:
    """A time in which mail of both lanes waited at a pacer all along."""

    recipients: Counter[Lane] = field(default_factory=Counter)
    """Released in it."""


class Turns:
    """Of all processes."""

    def __init__(self, world: World, floor: float) -> None:
        """`floor`: BULK_FLOOR."""
        self._world = world
        self._ratio = floor / (1 - floor)
        self._now: dict[WaitingMail, _Contention] = {}
        self._largest: Counter[Lane] = Counter()
        """Recipients of a mail, by lane."""
        self.contended = 0
        """Turns that were given while both lanes waited."""
        self.found: list[str] = []

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Observe every pacer until the block ends."""
        take = WaitingMail.take

        def observed_take(waiting: WaitingMail, waiter: Waiter) -> None:
            self._note(waiting, waiter)
            take(waiting, waiter)

        with mock.patch.object(WaitingMail, "take", observed_take):
            yield

    def _note(self, waiting: WaitingMail, waiter: Waiter) -> None:
        self._largest[waiter.lane] = max(self._largest[waiter.lane], waiter.recipients)
        if {each.lane for each in waiting if not each.future.done()} != set(Lane) or waiting.bulk_held:
            self._now.pop(waiting, None)
            return
        self.contended += 1
        contention = self._now.setdefault(waiting, _Contention())
        contention.recipients[waiter.lane] += waiter.recipients
        bulk, due = contention.recipients[Lane.BULK], self._ratio * contention.recipients[Lane.TRANSACTIONAL]
        # Bulk mail gets its turn once a whole recipient is owed, and a mail may have many; what is owed outlasts a moment
        # in which no transactional mail waits.
        slack = 1 + self._largest[Lane.BULK] + self._ratio * self._largest[Lane.TRANSACTIONAL]
        if bulk > due + slack:
            self.found.append(f"at {self._world.now:.1f} transactional mail waited for {bulk} recipients of bulk mail")
        if bulk < due - slack:
            self.found.append(f"at {self._world.now:.1f} bulk mail got {bulk} turns, its floor is {due:g}")
