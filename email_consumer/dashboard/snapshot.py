"""The live values of the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from email_consumer.core.source import QueueDepth

Condition = Literal["up", "held", "down", "off"]
"""`held`: available, but currently blocking mail; `off`: not configured."""


@dataclass(frozen=True, slots=True)
class Point:
    """One second of the plot."""

    at: float
    """Unix seconds at the end of the second."""
    sent: float
    """Recipients per second that SES accepted: a mean over a few seconds, as outcomes are recorded in groups."""
    limit: float
    """Recipients per second that the pacer allows; 0 while sending is paused."""
    in_flight: int
    throttled: int
    retried: int
    transactional: float
    """The part of `sent` that was transactional mail."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Recipients in 24 hours."""

    used: float
    limit: float | None
    """None if unlimited."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that mail depends on."""

    name: str
    condition: Condition
    text: str
    """For operators; may contain addresses, so it is not public."""


@dataclass(frozen=True, slots=True)
class Held:
    """A hold that waits for somebody's decision."""

    key: str
    holder: str
    """breaker, operator or ses."""
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The current state; None is unknown."""

    unsettled: int
    in_flight: int
    queue: QueueDepth | None
    """All lanes together."""
    dead_letters: int | None
    in_doubt: int | None
    quota: Quota | None
    parts: tuple[Part, ...]
    lanes: Mapping[str, QueueDepth | None] = field(default_factory=dict)
    """The queue of each lane that the source has."""
    holds: tuple[Held, ...] = ()
    """The first of those that wait for a decision."""
    holds_number: int = 0
    """Of all of those."""

    def public(self) -> "Snapshot":
        """Without any text."""
        return replace(self, parts=tuple(replace(part, text="") for part in self.parts), holds=())
