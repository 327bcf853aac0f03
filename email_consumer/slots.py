"""How many deliveries may be in hand at once, shared by all sources."""

from collections.abc import Callable


class Slots:
    """A counter with a limit that may change; a source asks for no more than is free."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._taken = 0
        self._listeners: list[Callable[[], None]] = []

    @property
    def capacity(self) -> int:
        return self._capacity

    def resize(self, capacity: int) -> None:
        self._capacity = capacity
        self._tell()

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def free(self) -> int:
        return max(0, self._capacity - self._taken)

    def take(self) -> None:
        self._taken += 1

    def release(self) -> None:
        self._taken -= 1
        self._tell()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever slots may have become free."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
