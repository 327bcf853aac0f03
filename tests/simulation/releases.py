"""What pacers release, and at which rates all of them together may."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from email_consumer.cluster.membership import Membership
from email_consumer.pipeline.pacer import Pacer
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease
from tests.simulation.process import Process
from tests.simulation.ses.exchange import most_in_a_second
from tests.simulation.world import World

_ROUNDING = 1e-6


class Releases:
    """Of all processes."""

    def __init__(self, world: World, rate: float) -> None:
        """`rate`: recipients a second that all pacers together may release."""
        self._world = world
        self._rate = rate
        self._pacers: list[tuple[Process, Pacer]] = []
        self._rights: dict[Process, Membership | ConsumerLease] = {}
        """By which each process may claim: a worker's share of the rate, or the consumer."""
        self._released: defaultdict[Pacer, list[tuple[float, int]]] = defaultdict(list)
        """True time and recipients, by pacer."""
        self._most = 0.0, 0.0
        """The highest sum of rates at any release, and when that was."""

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Observe every pacer until the block ends."""
        original, join, lease, releases = Pacer.__init__, Membership.__init__, ConsumerLease.__init__, self

        class Window(deque[tuple[float, int]]):
            def __init__(self, pacer: Pacer) -> None:
                super().__init__()
                self.pacer = pacer

            def append(self, entry: tuple[float, int]) -> None:
                releases._note(self.pacer, entry[1])
                super().append(entry)

        def initialise(self: Pacer, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            self._window = Window(self)
            # A start that fails is tried again in the same process, and what it had built is gone.
            others = [each for each in releases._pacers if each[0] is not releases._process]
            releases._pacers = [*others, (releases._process, self)]

        def joined(self: Membership, *args: Any, **kwargs: Any) -> None:
            join(self, *args, **kwargs)
            releases._rights[releases._process] = self

        def leased(self: ConsumerLease, *args: Any, **kwargs: Any) -> None:
            lease(self, *args, **kwargs)
            if not self._record.shared:  # a worker needs its share as well
                releases._rights[releases._process] = self

        with (
            mock.patch.object(Pacer, "__init__", initialise),
            mock.patch.object(Membership, "__init__", joined),
            mock.patch.object(ConsumerLease, "__init__", leased),
        ):
            yield

    @property
    def _process(self) -> Process:
        assert self._world.current is not None
        return self._world.current

    def violations(self) -> Iterator[str]:
        """Where a pacer released too much within a second, or all together were allowed too much."""
        cap = math.floor(self._rate + max(1.0, self._rate / 100))
        for released in self._released.values():
            most, allowed = most_in_a_second(released), max(cap, *(count for _, count in released))
            if most > allowed:
                yield f"{most} recipients were released within a second, {allowed} are allowed"
        total, at = self._most
        if total > self._rate + _ROUNDING:
            yield f"at {at:.1f} all workers together released {total:g} recipients a second, {self._rate:g} are allowed"

    def _note(self, pacer: Pacer, recipients: int) -> None:
        now = self._world.now
        self._released[pacer].append((now, recipients))
        self._pacers = [each for each in self._pacers if each[0].alive]
        total = sum(
            each.rate
            for process, each in self._pacers
            if process.paused_until <= now
            and not each._closed
            and (each is pacer or not each.held)
            and self._has_a_share(process)
        )
        self._most = max(self._most, (total, now))

    def _has_a_share(self, process: Process) -> bool:
        """Whether what it releases may be claimed: who was stopped, has yet to join or has lost its lease claims nothing."""
        right = self._rights.get(process)
        return right is not None and process.elapsed() < right.valid_until
