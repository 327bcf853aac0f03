"""The queue of mail as those see it who put mail in, or ask how far it has come; see `delivery` for the other end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


class QueueUnavailableError(Exception):
    """The queue gave no answer, or not now; in plain words."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the queue's consumer has yet to settle."""

    ack_floor: int
    """Everything up to this sequence is settled."""
    unsettled: int
    """Messages that wait or are in hand, delayed ones included."""
    in_hand: int = 0
    """Of these, those that were delivered."""


class MailQueue(Protocol):
    @property
    def max_payload(self) -> int:
        """Bytes of a message, its headers included, that it takes."""

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[Exception | None]:
        """Store payloads with their headers; for each, None or why it is not known to be stored.

        Raises:
            QueueUnavailableError: none of them was tried.
        """

    async def last_sequence(self) -> int:
        """Of the stream, at this moment.

        Raises:
            QueueUnavailableError: no answer.
        """

    async def backlog(self) -> Backlog:
        """At this moment.

        Raises:
            QueueUnavailableError: no answer.
        """
