"""Contents that the queue refused, deferred for a while so that other mail can be published."""

import time
from collections.abc import Callable
from typing import NamedTuple

_MAX_CONTENTS = 10_000
"""Contents that are remembered; beyond that, the oldest is retried early."""


class StoredContent(NamedTuple):
    """Which content: the row id of one that was deleted may be given to another one."""

    id: int
    hash: str
    """As SQLite's `hex` writes it."""


class DeferredContents:
    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """`clock`: seconds; `time.monotonic` unless given."""
        self._clock = clock or time.monotonic
        self._until: dict[StoredContent, float] = {}
        self._reasons: dict[StoredContent, str] = {}

    def add(self, content: StoredContent, reason: str, seconds: float) -> bool:
        """Defer mail with this content for `seconds`; True if the reason is new."""
        known = self._reasons.pop(content, None)
        self._until[content] = self._clock() + seconds
        self._reasons[content] = reason
        if len(self._reasons) > _MAX_CONTENTS:
            oldest = next(iter(self._reasons))
            del self._reasons[oldest]
            self._until.pop(oldest, None)
        return known != reason

    def contents(self) -> list[StoredContent]:
        """Contents that are deferred now."""
        now = self._clock()
        self._until = {content: until for content, until in self._until.items() if until > now}
        return list(self._until)

    @property
    def wait(self) -> float | None:
        """Seconds until the next one is retried; None if nothing is deferred."""
        return max(0.0, min(self._until.values()) - self._clock()) if self._until else None
