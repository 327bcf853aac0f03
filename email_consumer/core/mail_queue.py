"""The mail queue as seen by publishers, and by those who ask how far it has been processed; `delivery` is the other end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from email_consumer.message.lane import Lane

ORIGIN = "Email-Origin"
"""Header of mail published from our own tables: `api`, or the source it first came from."""


LANE = "Email-Lane"
"""Header of mail published from our own tables or as a replay, if it is transactional: it goes into that lane."""


def lane_of(headers: Mapping[str, str]) -> Lane:
    """The lane that the headers name; bulk where they name none."""
    return Lane.TRANSACTIONAL if headers.get(LANE) == Lane.TRANSACTIONAL else Lane.BULK


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in the order in which sources store messages, independent of anybody's clock."""

    stream: str | None
    """Identity of the stream, since a recreated stream counts from 1 again. Empty if the source has no sequence numbers; None
    if the previous version, which did not know streams apart, wrote the mark."""
    sequence: int
    """The stream's last sequence number at that point."""
    before: float
    """Unix seconds by the source's clock. For a source without sequence numbers: everything stored earlier."""
    past_in: float = field(default=0.0, compare=False)
    """Seconds until everything the source stores is certain to be later."""


class QueueUnavailableError(Exception):
    """The queue does not respond; the text says why."""


class RefusedByQueueError(Exception):
    """The queue has no room for this mail at the moment; the text is the server's own."""


class TooLargeForQueueError(Exception):
    """The queue can't take this mail unless a limit is raised; the text names it."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the queue's consumer has not settled yet."""

    ack_floor: int
    """Everything up to this sequence number is settled."""
    unsettled: int
    """Messages that wait or are being handled, including delayed ones."""
    delivered: int = 0
    """How many of these have been delivered."""
    stream: str = ""
    """Identity of the stream; see `Mark`."""
    last: int = 0
    """The queue's last sequence number; 0 if it has no order."""


@dataclass(frozen=True, slots=True)
class Unconsumed:
    """Messages on subjects without a consumer: NATS acknowledges them, and nobody ever sends them.

    `subjects` are the few with the most messages, with their counts; `others` counts the messages on all other subjects.
    """

    subjects: tuple[tuple[str, int], ...] = ()
    others: int = 0

    def __bool__(self) -> bool:
        return bool(self.messages)

    @property
    def messages(self) -> int:
        return sum(count for _, count in self.subjects) + self.others

    def __str__(self) -> str:
        named = [f"{subject} ({count:,})" for subject, count in self.subjects]
        return ", ".join([*named, f"others ({self.others:,})"] if self.others else named)


class Delivered(NamedTuple):
    """The last stream sequence that each lane's consumer has delivered; 0 for none."""

    bulk: int
    transactional: int
    stream: str
    """Identity of the stream that they count in."""


class MailQueue(Protocol):
    @property
    def max_payload(self) -> int:
        """Maximum size of a message in bytes, including its headers."""

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[int | Exception]:
        """Store payloads with their headers.

        Returns for each its sequence number (0 if the queue has no order), or the error due to which it may not be stored;
        with `RefusedByQueueError` and `TooLargeForQueueError` it certainly is not.

        Raises:
            QueueUnavailableError: nothing was published.
        """

    async def mark(self) -> Mark:
        """Mark the current point.

        Raises:
            QueueUnavailableError: the queue does not respond.
        """

    async def backlog(self) -> Backlog:
        """Read the current backlog.

        Raises:
            QueueUnavailableError: the queue does not respond.
        """
