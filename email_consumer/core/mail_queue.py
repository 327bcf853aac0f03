"""The queue of mail as those see it who put mail in, or ask how far it has come; see `delivery` for the other end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

ORIGIN = "Email-Origin"
"""Header of mail that was published from our own keeping: `api`, or where else it first came from."""


def dead_letter_stream(stream: str) -> str:
    """Beside the stream of mail: what can't be sent, on the subjects `<name>.<reason>`."""
    return f"{stream}-dead"


class DeadLetterKind(StrEnum):
    """Why a mail is among the dead letters; the end of its subject there."""

    UNDECODABLE = "undecodable"
    """It is no message, or not a valid one."""
    REJECTED = "rejected"
    """SES will not take it."""
    EXHAUSTED = "exhausted"
    """Its last attempt failed."""
    IN_DOUBT = "in-doubt"
    """SES may have accepted it; IN_DOUBT=park."""
    CONFLICT = "conflict"
    """Its uuid stands for a mail to other recipients."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in the order of what sources store: what was stored up to it lies before, whatever anybody's clock says."""

    stream: str | None
    """Which stream of its name: one that is made again counts from 1 again. Empty where nothing is numbered; None where
    the version before noted the moment, which knew no stream."""
    sequence: int
    """The stream's last sequence at that moment."""
    before: float
    """Unix seconds by the source's own clock, for a source that numbers nothing: what it stored earlier."""
    past_in: float = field(default=0.0, compare=False)
    """Seconds until whatever that source stores is later for sure."""


class QueueUnavailableError(Exception):
    """The queue gave no answer, or not now; in plain words."""


class RefusedByQueueError(Exception):
    """The queue has no room for this mail now; the text is its own."""


class TooLargeForQueueError(Exception):
    """The queue will never take this mail, as things are; the text names the limit."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the queue's consumer has yet to settle."""

    ack_floor: int
    """Everything up to this sequence is settled."""
    unsettled: int
    """Messages that wait or are in hand, delayed ones included."""
    in_hand: int = 0
    """Of these, those that were delivered."""
    stream: str = ""
    """Which stream of its name that is; see `Mark`."""
    last: int = 0
    """The queue's last sequence, 0 where it has no order."""


@dataclass(frozen=True, slots=True)
class Unconsumed:
    """Messages on subjects that no consumer takes: NATS acknowledges them, and nobody ever sends them.

    `subjects` are the fullest few, with the messages on each; `others` are those on the rest.
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


class MailQueue(Protocol):
    @property
    def max_payload(self) -> int:
        """Bytes of a message, its headers included, that it takes."""

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[int | Exception]:
        """Store payloads with their headers.

        For each its sequence (0 where the queue has no order), or why it is not known to be stored; `RefusedByQueueError`
        and `TooLargeForQueueError` mean that it certainly isn't.

        Raises:
            QueueUnavailableError: none of them was tried.
        """

    async def mark(self) -> Mark:
        """This moment.

        Raises:
            QueueUnavailableError: no answer.
        """

    async def backlog(self) -> Backlog:
        """At this moment.

        Raises:
            QueueUnavailableError: no answer.
        """
