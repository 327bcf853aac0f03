"""Holds back what would be logged again and again."""

from time import monotonic

from cachetools import LRUCache


class Throttle:
    """One of each kind within an interval; the others are counted. Bounded in memory, whatever the kinds are."""

    def __init__(self, interval: float, *, kinds: int = 1_000) -> None:
        """`interval` in seconds; `kinds` is how many are remembered, those that came last."""
        self._interval = interval
        self._seen: LRUCache[str, tuple[float, int]] = LRUCache(kinds)
        """When one was let through, and how many were held back since."""

    def admit(self, kind: str) -> int | None:
        """How many were held back since the last that was let through; None: hold this one back as well."""
        now = monotonic()
        seen = self._seen.get(kind)
        if seen is not None and now - seen[0] < self._interval:
            self._seen[kind] = (seen[0], seen[1] + 1)
            return None
        self._seen[kind] = (now, 0)
        return seen[1] if seen else 0
