"""The ids under which a stream has stored messages lately."""

from collections import deque
from collections.abc import Container


class Deduplication:
    def __init__(self) -> None:
        self._sequences: dict[str, int] = {}
        self._order: deque[tuple[float, str]] = deque()
        self.last = ""
        """The id of the last message; empty if it had none."""

    def add(self, identity: str, sequence: int, now: float) -> None:
        """`identity` may be empty."""
        self.last = identity
        if identity:
            self._sequences[identity] = sequence
            self._order.append((now, identity))

    def find(self, identity: str, since: float) -> int:
        """The sequence under which it was stored; 0 if it was not, or before `since`."""
        while self._order and self._order[0][0] < since:
            del self._sequences[self._order.popleft()[1]]
        return self._sequences.get(identity, 0)

    def keep(self, identities: Container[str | None]) -> None:
        """Forget all others."""
        self._order = deque(each for each in self._order if each[1] in identities)
        self._sequences = {identity: self._sequences[identity] for _, identity in self._order}
        self.last = self._order[-1][1] if self._order else ""
