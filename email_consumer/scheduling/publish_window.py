"""How much of our own mail may lie in the queue unsettled.

What is not in the queue yet can be cancelled exactly and costs the queue no disk: a body is stored once here and once
for each recipient there.
"""

from collections.abc import Iterable

MAX_MAILS = 1_000
MAX_BYTES = 64 * 2**20


class Window:
    def __init__(self, max_mails: int = MAX_MAILS, max_bytes: int = MAX_BYTES) -> None:
        self._max_mails = max_mails
        self._max_bytes = max_bytes
        self._sizes: dict[int, int] = {}
        self._bytes = 0

    @property
    def mails(self) -> int:
        """How many more fit in."""
        return max(0, self._max_mails - len(self._sizes))

    @property
    def empty(self) -> bool:
        return not self._sizes

    def keep_only(self, outstanding: Iterable[int]) -> None:
        """Forget all mails (rows) but these; one that is new to us counts as a large one."""
        unknown = self._max_bytes // self._max_mails
        self._sizes = {mail: self._sizes.get(mail, unknown) for mail in outstanding}
        self._bytes = sum(self._sizes.values())

    def add(self, mail: int, size: int) -> bool:
        """False, and nothing is changed, if it doesn't fit in. A single mail always does."""
        if not self.mails or (self._sizes and self._bytes + size > self._max_bytes):
            return False
        self._sizes[mail] = size
        self._bytes += size
        return True
