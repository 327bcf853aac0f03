"""What a consumer has delivered and not settled: when it is due again, and what is waiting for redelivery."""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(slots=True)
class Unsettled:
    delivery: int
    """Number of its first delivery in the consumer's own count."""
    due: float
    """When it is delivered again; infinite while it waits for that."""


_WAITS = float("inf")


class Redelivery:
    """By sequence in the stream."""

    def __init__(self) -> None:
        self.unsettled: dict[int, Unsettled] = {}
        self.redelivered: dict[int, int] = {}
        """How often each was delivered again."""
        self.queue: deque[int] = deque()
        """What is to be delivered again, some of which may be settled by now."""
        self._due: list[tuple[float, int]] = []

    def delivered(self, sequence: int, delivery: int, due: float) -> None:
        found = self.unsettled.get(sequence)
        if found is None:
            self.unsettled[sequence] = Unsettled(delivery, due)
        else:
            found.due = due
        heappush(self._due, (due, sequence))

    def postpone(self, sequence: int, due: float) -> None:
        """Let it be due then, unless it is settled or already waits for redelivery."""
        found = self.unsettled.get(sequence)
        if found is not None and found.due is not _WAITS:
            found.due = due
            heappush(self._due, (due, sequence))

    def put_off(self, sequence: int, due: float) -> None:
        """Like `postpone`, but even if it already waits for redelivery."""
        found = self.unsettled.get(sequence)
        if found is not None:
            if found.due is _WAITS:
                self.queue.remove(sequence)
            found.due = due
            heappush(self._due, (due, sequence))

    def return_now(self, sequence: int) -> None:
        found = self.unsettled.get(sequence)
        if found is not None and found.due is not _WAITS:
            found.due = _WAITS
            self.queue.append(sequence)

    def settle(self, sequence: int) -> Unsettled | None:
        """Forget it; None if it was not unsettled."""
        self.redelivered.pop(sequence, None)
        return self.unsettled.pop(sequence, None)

    def collect(self, now: float) -> None:
        """Queue what is due, oldest first."""
        found: list[int] = []
        while self._due and self._due[0][0] <= now:
            due, sequence = heappop(self._due)
            each = self.unsettled.get(sequence)
            if each is not None and each.due == due:
                each.due = _WAITS
                found.append(sequence)
        self.queue.extend(sorted(found))

    def next_due(self) -> float | None:
        """When the next one is due; None if none is."""
        while self._due:
            due, sequence = self._due[0]
            each = self.unsettled.get(sequence)
            if each is not None and each.due == due:
                return due
            heappop(self._due)
        return None

    def first_queued(self) -> int:
        """The first that is to be delivered again; 0 if there is none."""
        while self.queue:
            sequence = self.queue[0]
            each = self.unsettled.get(sequence)
            if each is not None and each.due is _WAITS:
                return sequence
            self.queue.popleft()
        return 0

    def drop_below(self, first: int) -> int:
        """Forget what is before this sequence; returns the highest delivery number among it."""
        doomed = [sequence for sequence in self.unsettled if sequence < first]
        return max((found.delivery for sequence in doomed if (found := self.settle(sequence))), default=0)
