"""Bounds how much published mail may be unsettled in the queue.

Mail that is not published yet can be cancelled exactly and needs less disk: the database stores a body once, the queue once
per recipient.
"""

from collections.abc import Iterable

MAX_MAILS = 1_000
MAX_BYTES = 64 * 2**20


_SECONDS = 1.5
_LEAST_MAILS = 100


def window_for(rate: float) -> "PublishWindow":
    """For a rate in mails a second: more than is sent before the next look would only let others wait longer for their turn."""
    return PublishWindow(min(MAX_MAILS, max(_LEAST_MAILS, round(_SECONDS * rate))))


class PublishWindow:
    def __init__(self, max_mails: int = MAX_MAILS, max_bytes: int = MAX_BYTES) -> None:
        self._max_mails = max_mails
        self._max_bytes = max_bytes
        self._sizes: dict[int, int] = {}
        self._bytes = 0

    @property
    def mails(self) -> int:
        """How many more mails fit."""
        return max(0, self._max_mails - len(self._sizes))

    @property
    def empty(self) -> bool:
        return not self._sizes

    def __contains__(self, mail: int) -> bool:
        return mail in self._sizes

    def keep_only(self, outstanding: Iterable[int]) -> None:
        """Drop all mails (row ids) but these; one of unknown size counts as the average that fits."""
        unknown = self._max_bytes // self._max_mails
        self._sizes = {mail: self._sizes.get(mail, unknown) for mail in outstanding}
        self._bytes = sum(self._sizes.values())

    def add(self, mail: int, size: int) -> bool:
        """False, without effect, if it doesn't fit. A single mail always fits."""
        if not self.mails or (self._sizes and self._bytes + size > self._max_bytes):
            return False
        self._sizes[mail] = size
        self._bytes += size
        return True
