"""What the HTTP API answers. New fields of a newer version are in `raw`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from email_consumer_client.errors import UnexpectedAnswerError
from email_consumer_client.reading import moment, read

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A recipient whose mail was refused; all others were accepted."""

    message: int
    """Index of the message."""
    email: int
    """Index in its recipients."""
    error: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Mail that is on the installation's disk."""

    ids: Sequence[str | None]
    """A uuid for each recipient in the order given, message by message; None for a refused one."""
    refused: Sequence[Refused]
    merged: int
    """Recipients that occur earlier in the same message: they share one mail and uuid."""
    scheduled: bool
    """At least one mail is due later."""
    warnings: Sequence[str]
    raw: Raw = field(repr=False)

    @classmethod
    def from_json(cls, document: Raw) -> Self:
        refused = tuple(Refused(each["message"], each["email"], each["error"]) for each in document.get("refused", ()))
        return read(cls, document, refused=refused)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A failed attempt."""

    at: datetime
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """An SES event, an open or a click."""

    at: datetime
    kind: str
    """`Delivery`, `Bounce`, `Complaint`, `Open`, …"""
    recipient: str
    machine: bool
    """Probably caused by a program, not a person."""
    detail: Raw = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail's status and history."""

    uuid: str
    email: str
    status: str
    """`Created`, `Processed`, `Sent`, `Failed` or `Stopped`; newer versions may add others."""
    topic_id: str | None
    error: str | None
    in_doubt: bool
    """SES may or may not have accepted it."""
    attempts: int
    message_id: str | None
    """SES's, once it accepted the mail."""
    created_at: datetime
    updated_at: datetime
    scheduled_at: datetime | None
    expires_at: datetime | None
    finished_at: datetime | None
    history: Sequence[Attempt]
    results: Sequence[Result]
    raw: Raw = field(repr=False)
    state: str = ""
    """What became of it for its recipient: `queued`, `sent`, `delivered`, `bounced`, …; newer versions may add others."""
    reason: str | None = None
    """Of a bounce, complaint, delay or rejection, as SES reports it; otherwise the error."""

    @classmethod
    def from_json(cls, document: Raw) -> Self:
        names = ("created_at", "updated_at", "scheduled_at", "expires_at", "finished_at")
        times = {name: moment(document, name) for name in names}
        history = tuple(Attempt(_at(each), each["outcome"], each["reason"]) for each in document.get("history", ()))
        results = tuple(
            Result(_at(each), each["kind"], each["recipient"], each["machine"], each["detail"])
            for each in document.get("results", ())
        )
        return read(cls, document, history=history, results=results, **times)


@dataclass(frozen=True, slots=True)
class ListedMail:
    """A mail in a list; all other fields of the answer are in `raw`."""

    uuid: str
    email: str
    topic_id: str | None
    status: str
    state: str
    reason: str | None
    created_at: datetime
    raw: Raw = field(repr=False)

    @classmethod
    def from_json(cls, document: Raw) -> Self:
        return read(cls, document, created_at=moment(document, "created_at"))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a cancellation stopped, and what it was too late for."""

    cancelled: int
    sent: int
    in_flight: int
    final: bool
    """The numbers won't change any more."""
    raw: Raw = field(repr=False)

    @classmethod
    def from_json(cls, document: Raw) -> Self:
        return read(cls, document)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's statistics."""

    request_counts: Mapping[str, int]
    """Mails by status."""
    result_counts: Mapping[str, int]
    """Distinct recipients by kind of result."""
    known: bool
    """Whether any mail of the topic is recorded; mail in the stream counts once it is claimed."""
    cancellation: Receipt | None
    raw: Raw = field(repr=False)

    @classmethod
    def from_json(cls, document: Raw) -> Self:
        cancellation = document.get("cancellation")
        return read(cls, document, cancellation=Receipt.from_json(cancellation) if cancellation else None)


def _at(document: Raw) -> datetime:
    at = moment(document, "at")
    if at is None:
        raise UnexpectedAnswerError("an entry of the history has no time")
    return at
