"""Deletions of rows that a killed NATS server may have undone.

A deletion marker replaces the row, and expires. If nats-server (2.15.1) is killed at about that moment, the row is there again
after its restart, and a rebuilt file would have it: an erased mail, a revoked key. So recent deletions are repeated after
each reconnect.
"""

import time

from nats.aio.client import Client

MARKER_TTL = 1
"""Seconds until a deletion marker expires."""
_REPEATED = 5.0
"""Age in seconds up to which a deletion may be undone: its marker has expired long before, and this is on disk."""


class RecentDeletions:
    """Subjects, oldest deletion first."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._deleted_at: dict[str, float] = {}
        self._repeated_at = self.reconnects

    @property
    def reconnects(self) -> int:
        """How often the client has reconnected."""
        return self._client.stats["reconnects"]

    def add(self, subject: str) -> None:
        self._deleted_at.pop(subject, None)
        self._deleted_at[subject] = time.monotonic()

    def discard(self, subject: str) -> None:
        """The row exists again."""
        self._deleted_at.pop(subject, None)

    def to_repeat(self) -> list[str]:
        return [*self._deleted_at] if self.reconnects != self._repeated_at else []

    def repeated(self, reconnects: int) -> None:
        """All of `to_repeat` was done, on the connection which was the one after that number of reconnects."""
        self._repeated_at = reconnects

    def expire(self) -> None:
        """Forget what no longer has to be repeated; to be called after the server has responded."""
        if self.reconnects != self._repeated_at:
            return
        oldest = time.monotonic() - _REPEATED
        while self._deleted_at and next(iter(self._deleted_at.values())) < oldest:
            del self._deleted_at[next(iter(self._deleted_at))]
