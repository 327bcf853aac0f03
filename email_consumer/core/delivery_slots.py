"""Delivery slots: how many deliveries may be unsettled at the same time, across all sources."""

from collections.abc import Callable

_MOST_BYTES = 64 * 1024 * 1024
"""Bytes of unsettled deliveries: five hundred mails of 1 MB would be too much for a small container."""


class DeliverySlots:
    """A counter with a limit that may change. A source requests at most `free` deliveries, which is 0 above the byte limit."""

    def __init__(self, capacity: int, most_bytes: int = _MOST_BYTES) -> None:
        self._capacity = capacity
        self._most_bytes = most_bytes
        self._taken = 0
        self._bytes = 0
        self._listeners: list[Callable[[], None]] = []

    @property
    def capacity(self) -> int:
        return self._capacity

    def resize(self, capacity: int) -> None:
        self._capacity = capacity
        self._notify()

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def free(self) -> int:
        return max(0, self._capacity - self._taken) if self._bytes < self._most_bytes else 0

    def take(self, size: int = 0) -> None:
        """Take a slot for a delivery of `size` bytes; pass the same size to `release`."""
        self._taken += 1
        self._bytes += size

    def release(self, size: int = 0) -> None:
        self._taken -= 1
        self._bytes -= size
        self._notify()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever slots may have become free."""
        self._listeners.append(listener)

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()
