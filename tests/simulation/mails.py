"""The mails of a world, and what everybody outside the program knows of them: publishers, API clients and operators."""

from dataclasses import dataclass, field
from typing import Literal

from email_consumer.message.address import normal_form
from email_consumer.message.lane import Lane

INSTANCE = "simulated"
"""INSTANCE of the program."""


@dataclass(slots=True)
class Mail:
    """One mail that somebody wants to be sent once. Its first address belongs to no other mail, so it identifies it."""

    number: int
    source: Literal["nats", "api"]
    uuid: str
    """For the API's mails empty until the answer names it."""
    address: str
    copies: tuple[str, ...] = ()
    topic: str | None = None
    due_at: float | None = None
    """True time; None: at once."""
    expires_at: float | None = None
    lane: Lane = Lane.BULK
    says_lane: bool = True
    """Whether the mail itself names its lane; otherwise only the subject that it is published on does."""
    stored: list[float] = field(default_factory=list)
    """When a stream or the API confirmed to have it."""
    unsure: list[float] = field(default_factory=list)
    """When it was given to a stream or the API that did not answer."""
    lost: list[float] = field(default_factory=list)
    """When copies were stored that NATS acknowledged to their publisher, and forgot."""

    @property
    def key(self) -> str:
        """What it is found by."""
        return normal_form(self.address)

    @property
    def given_at(self) -> float | None:
        """When the program may have had it first; None if it never did."""
        moments = self.stored + self.unsure + self.lost
        return min(moments) if moments else None

    @property
    def gone(self) -> bool:
        """Whether NATS has forgotten every copy that was published."""
        return bool(self.lost) and not self.stored + self.unsure


@dataclass(slots=True)
class Cancellation:
    """A topic that somebody cancelled."""

    topic: str
    asked_at: float
    answered_at: float | None = None
    in_flight: int = 0
    """What the answer said may still go out."""


@dataclass(slots=True)
class SuppressionChange:
    """An address that somebody suppressed or released."""

    address: str
    suppressed: bool
    asked_at: float
    answered_at: float | None = None


@dataclass(slots=True)
class HeldPeriod:
    """A hold that somebody placed and ended."""

    key: str
    asked_at: float
    answered_at: float | None = None
    resumed_at: float | None = None
    """When it was asked to end."""
    resume_answered_at: float | None = None

    def ends(self, other: "HeldPeriod") -> bool:
        """Whether the request that ended this one may have ended that one, too: it is repeated until it is answered."""
        if self.key != other.key or self.resumed_at is None:
            return False
        return self.resume_answered_at is None or self.resume_answered_at >= other.asked_at

    def covers(self, mail: Mail) -> bool:
        if self.key == "account":
            return True
        return mail.lane is Lane.BULK and self.key in {"lane:bulk", f"topic:{mail.topic}"}


@dataclass(slots=True)
class History:
    """What happened outside the program."""

    mails: list[Mail] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)
    suppressions: list[SuppressionChange] = field(default_factory=list)
    holds: list[HeldPeriod] = field(default_factory=list)

    def by_address(self) -> dict[str, Mail]:
        return {mail.key: mail for mail in self.mails}
