"""What the page shows live, as plain values."""

from dataclasses import dataclass, replace
from typing import Literal

from email_consumer.core.source import QueueDepth

Condition = Literal["up", "held", "down", "off"]
"""`held`: there, but it doesn't let mail pass at present; `off`: not set up."""


@dataclass(frozen=True, slots=True)
class Point:
    """One second of the plot."""

    at: float
    """Unix seconds; the second ends here."""
    sent: float
    """Recipients a second that SES accepted: the mean of a few seconds, since outcomes are recorded in groups."""
    limit: float
    """Recipients a second that the pacer allows; 0 while the queue is held."""
    in_flight: int
    throttled: int
    retried: int


@dataclass(frozen=True, slots=True)
class Quota:
    """Recipients in 24 hours."""

    used: float
    limit: float | None
    """None is unlimited."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that mail depends on."""

    name: str
    condition: Condition
    text: str
    """For people; may name addresses, so it is not for the public."""


@dataclass(frozen=True, slots=True)
class State:
    """How things stand now; None is not known."""

    in_hand: int
    in_flight: int
    queue: QueueDepth | None
    dead_letters: int | None
    in_doubt: int | None
    quota: Quota | None
    parts: tuple[Part, ...]

    def for_the_public(self) -> "State":
        """Without any text."""
        return replace(self, parts=tuple(replace(part, text="") for part in self.parts))
