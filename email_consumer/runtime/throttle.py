"""Limits how often similar log lines are written."""

import time

from cachetools import LRUCache


class Throttle:
    """Admits one event per kind and interval, and counts the others. Bounded in memory, whatever the kinds are."""

    def __init__(self, interval: float, *, kinds: int = 1_000) -> None:
        """`interval`: in seconds; `kinds`: how many of the most recent kinds are remembered."""
        self._interval = interval
        self._seen: LRUCache[str, tuple[float, int]] = LRUCache(kinds)
        """By kind: when an event was last admitted, and how many were suppressed since."""

    def admit(self, kind: str) -> int | None:
        """How many events were suppressed since the last admitted one; None if this one is to be suppressed, too."""
        now = time.monotonic()
        seen = self._seen.get(kind)
        if seen is not None and now - seen[0] < self._interval:
            self._seen[kind] = (seen[0], seen[1] + 1)
            return None
        self._seen[kind] = (now, 0)
        return seen[1] if seen else 0
