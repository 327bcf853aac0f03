"""The messages of a stream: by sequence, and by subject."""

from collections import deque
from collections.abc import Iterable, Iterator

from tests.simulation.jetstream.message import StoredMessage
from tests.simulation.jetstream.subjects import Filter, is_literal, matches


class Storage:
    """Sequences grow by one. `first` is the first that is still there, or the next one to come."""

    def __init__(self, first: int) -> None:
        self.messages: dict[int, StoredMessage] = {}
        self.by_subject: dict[str, deque[int]] = {}
        self.first = first
        self.last = first - 1
        self.last_at = 0
        """When the last message was stored, also if it is gone; 0 if there was none."""
        self.bytes = 0

    def add(self, message: StoredMessage) -> None:
        self.messages[message.sequence] = message
        self.last, self.last_at = message.sequence, message.stored_at
        self.bytes += message.size
        found = self.by_subject.get(message.subject)
        if found is None:
            self.by_subject[message.subject] = deque((message.sequence,))
        else:
            found.append(message.sequence)

    def remove(self, sequence: int) -> StoredMessage | None:
        message = self.messages.pop(sequence, None)
        if message is None:
            return None
        self.bytes -= message.size
        sequences = self.by_subject[message.subject]
        if sequences[0] == sequence:
            sequences.popleft()
        else:
            sequences.remove(sequence)
        if not sequences:
            del self.by_subject[message.subject]
        if sequence == self.first:
            self._find_first()
        return message

    def restore(self, messages: Iterable[StoredMessage], last: int) -> None:
        """Hold these messages instead; `last`: the sequence before the next one."""
        self.messages.clear()
        self.by_subject.clear()
        self.bytes = 0
        for message in sorted(messages, key=lambda each: each.sequence):
            self.add(message)
        self.last = last
        self.first = min(self.messages, default=last + 1)

    def skip_to(self, first: int) -> None:
        """Let the next sequence be at least this one."""
        if first > self.last:
            self.first, self.last = first, first - 1

    def following(self, sequence: int, wanted: Filter) -> StoredMessage | None:
        """The first message from this sequence on that the filter takes."""
        messages, takes = self.messages, wanted.takes
        for number in range(max(sequence, self.first), self.last + 1):
            message = messages.get(number)
            if message is not None and takes(message.subject):
                return message
        return None

    def last_of(self, subject: str) -> int:
        """Sequence of the subject's last message; 0 if there is none."""
        sequences = self.by_subject.get(subject)
        return sequences[-1] if sequences else 0

    def newest(self, pattern: str) -> StoredMessage | None:
        """The last message whose subject the pattern takes."""
        if is_literal(pattern):
            return self.messages.get(self.last_of(pattern))
        return self.messages.get(max((self.last_of(subject) for subject in self.subjects(pattern)), default=0))

    def subjects(self, pattern: str) -> Iterator[str]:
        """Subjects with messages that the pattern takes."""
        return (subject for subject in self.by_subject if pattern == ">" or matches(pattern, subject))

    def count_from(self, sequence: int, wanted: Filter) -> int:
        """Messages from this sequence on that the filter takes."""
        if sequence <= self.first:
            if wanted.takes_all:
                return len(self.messages)
            return sum(len(found) for subject, found in self.by_subject.items() if wanted.takes(subject))
        return sum(number >= sequence and wanted.takes(each.subject) for number, each in self.messages.items())

    def _find_first(self) -> None:
        if not self.messages:
            self.first = self.last + 1
            return
        while self.first not in self.messages:
            self.first += 1
