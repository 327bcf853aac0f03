"""What can't be published at present, deferred for a while so that other mail can be."""

import time
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)

_MOST = 10_000
"""Of those that are remembered; beyond that, the oldest is retried early."""


class StoredContent(NamedTuple):
    """Which content: the row id of one that was deleted may be given to another one."""

    id: int
    hash: str
    """As SQLite's `hex` writes it."""


class Excluded(NamedTuple):
    """What is not to be published at present."""

    contents: Sequence[StoredContent] = ()
    mails: Sequence[int] = ()
    """Row ids."""


class Deferred(Generic[Key]):
    """By content, or by mail."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """`clock`: seconds; `time.monotonic` unless given."""
        self._clock = clock or time.monotonic
        self._until: dict[Key, float] = {}
        self._reasons: dict[Key, str] = {}

    def add(self, key: Key, reason: str, seconds: float) -> bool:
        """Defer it for `seconds`; True if the reason is new."""
        known = self._reasons.pop(key, None)
        self._until[key] = self._clock() + seconds
        self._reasons[key] = reason
        if len(self._reasons) > _MOST:
            oldest = next(iter(self._reasons))
            del self._reasons[oldest]
            self._until.pop(oldest, None)
        return known != reason

    def current(self) -> list[Key]:
        """What is deferred now."""
        now = self._clock()
        self._until = {key: until for key, until in self._until.items() if until > now}
        return list(self._until)

    @property
    def wait(self) -> float | None:
        """Seconds until the next one is retried; None if nothing is deferred."""
        return max(0.0, min(self._until.values()) - self._clock()) if self._until else None
