"""How far a consumer has come in its stream."""

from typing import Any

from tests.simulation.jetstream.message import StoredMessage
from tests.simulation.jetstream.storage import Storage
from tests.simulation.jetstream.subjects import Filter


class Cursor:
    """`position` is the first sequence that was not delivered yet; `pending` counts what the filter takes from there on."""

    def __init__(self, storage: Storage, config: dict[str, Any], taken: Filter) -> None:
        """Find the first message to deliver."""
        self.filter = taken
        self._storage = storage
        self._selected: list[int] = []
        """Where only the last message of each subject is wanted: what is left of them, the next one at the end."""
        self._resume_at = storage.last + 1
        match config["deliver_policy"]:
            case "all":
                self.position = storage.first
            case "new":
                self.position = storage.last + 1
            case "by_start_sequence":
                self.position = max(storage.first, min(config["opt_start_seq"], storage.last + 1))
            case "last_per_subject":
                lasts = (storage.last_of(subject) for subject in storage.by_subject if taken.takes(subject))
                self._selected = sorted(lasts, reverse=True)
                self.position = self._selected[-1] if self._selected else storage.last + 1
            case policy:
                raise NotImplementedError(f"deliver_policy {policy}")
        self.pending = len(self._selected) or storage.count_from(self.position, taken)

    def count(self) -> None:
        """Count again what is pending."""
        self.pending = self._storage.count_from(self.position, self.filter)

    def removed(self, message: StoredMessage) -> None:
        if message.sequence >= self.position and self.filter.takes(message.subject):
            self.pending -= 1

    def next(self) -> StoredMessage | None:
        """The next message to deliver; `advance` then."""
        if not self.pending:
            return None
        while self._selected:
            if message := self._storage.messages.get(self._selected[-1]):
                return message
            self._selected.pop()
            if not self._selected:
                self.position = self._resume_at
        return self._storage.following(self.position, self.filter)

    def advance(self, sequence: int) -> None:
        """Go on behind this message."""
        self.pending -= 1
        if self._selected:
            self._selected.pop()
            if not self._selected:
                self.position = self._resume_at
                return
        self.position = sequence + 1
