"""Contents that the queue refused: tried again after a while, so that the mail after them gets past."""

from collections.abc import Callable
from time import monotonic

_MOST = 10_000
"""Contents that are remembered; beyond, the longest known is tried again sooner."""


class PutAside:
    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._until: dict[int, float] = {}
        self._reasons: dict[int, str] = {}

    def add(self, content: int, reason: str, seconds: float) -> bool:
        """Leave mail of this content (its row) alone for so long; True if the reason is new."""
        known = self._reasons.pop(content, None)
        self._until.pop(content, None)
        self._until[content] = self._clock() + seconds
        self._reasons[content] = reason
        if len(self._reasons) > _MOST:
            oldest = next(iter(self._reasons))
            del self._reasons[oldest]
            self._until.pop(oldest, None)
        return known != reason

    def contents(self) -> list[int]:
        """Those that are to be left alone now."""
        now = self._clock()
        self._until = {content: until for content, until in self._until.items() if until > now}
        return list(self._until)

    def taken(self, content: int) -> None:
        """The queue takes this content after all."""
        self._reasons.pop(content, None)
        self._until.pop(content, None)

    @property
    def wait(self) -> float | None:
        """Seconds until the next one is tried again; None if there is none."""
        return max(0.0, min(self._until.values()) - self._clock()) if self._until else None
