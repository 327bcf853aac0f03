"""Dead letters: mail that can't be sent, kept as it came until somebody decides about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from email_consumer.core.delivery import Original
from email_consumer.core.words import Word
from email_consumer.runtime.errors import OperatorError


class DeadLetterKind(Word):
    """Why a mail is a dead letter."""

    UNDECODABLE = "undecodable"
    """Not a message, or an invalid one."""
    REJECTED = "rejected"
    """SES refuses it."""
    EXHAUSTED = "exhausted"
    """Its last attempt failed."""
    IN_DOUBT = "in-doubt"
    """SES may have accepted it; IN_DOUBT=park."""
    CONFLICT = "conflict"
    """Its uuid belongs to a mail to other recipients."""


class DeadLetterError(OperatorError):
    """A dead letter does not exist, or can't be removed or replayed; in plain words."""


class DeadLetterRefusedError(Exception):
    """The dead letter is too large to be stored; the text says which limit to raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What a store lists. Values that its headers lack are empty: they may not have fitted, and anybody may write them."""

    sequence: int
    """Its place in the store."""
    kind: str
    """A `DeadLetterKind`."""
    reason: str
    reference: str
    """What named it in its source, such as `messages:4711`."""
    attempts: int | None
    stored_at: datetime
    size: int
    """Bytes of the payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeDeadLetter(DeadLetter):
    """With what it says."""

    payload: bytes
    headers: Mapping[str, str]
    """All of them, those of the original message included."""


class Replayed(NamedTuple):
    """A dead letter that was published again."""

    sequence: int
    """Its place in the queue of mail."""
    uuid: str


class DeadLetterStore(Protocol):
    """Stores mail that can't be sent."""

    async def store(self, original: Original, kind: str, reason: str, attempts: int) -> None:
        """Return once the copy is durable; storing the same original again creates no second copy.

        Raises:
            DeadLetterRefusedError: it can't be stored unless a limit is raised.
            Exception: it is not stored, or it is unknown whether it is; try again.
        """


class DeadLetterArchive(DeadLetterStore, Protocol):
    """A store that operators can read, remove and replay from."""

    async def list(self, limit: int = 50, after: int = 0, kind: str = "*") -> Sequence[DeadLetter]:
        """At most `limit` letters after sequence `after`, oldest first."""

    async def last(self) -> int:
        """The highest sequence that a letter has had; 0 before the first one."""

    async def get(self, sequence: int) -> WholeDeadLetter:
        """One of them.

        Raises:
            DeadLetterError: no letter has that number.
        """

    async def remove(self, sequence: int) -> None:
        """Delete a letter, and with it the only copy of its mail.

        Raises:
            DeadLetterError: there is no such letter, or it can't be deleted.
        """

    async def replay(self, sequence: int, *, new_uuid: bool = False) -> Replayed:
        """Publish it again, under a new uuid if asked, and delete it here.

        Raises:
            DeadLetterError: there is no such letter, or it can't be published.
        """
