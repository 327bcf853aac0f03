"""One request: what it asks for, and what became of it."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.simulation.process import Process
from tests.simulation.ses.courses import Course


@dataclass(frozen=True, slots=True)
class Request:
    """What the program asked for."""

    document: dict[str, Any]
    """SendEmail's input."""
    tags: dict[str, str]
    recipients: tuple[str, ...]
    """To, cc and bcc."""

    @classmethod
    def read(cls, body: bytes) -> "Request":
        document: dict[str, Any] = orjson.loads(body)
        destination = document["Destination"]
        return cls(
            document,
            {tag["Name"]: tag["Value"] for tag in document["EmailTags"]},
            tuple(address for addresses in destination.values() for address in addresses),
        )

    @property
    def uuid(self) -> str:
        """By its tag, as SES sees it."""
        return self.tags["uuid"]


@dataclass(slots=True)
class Exchange:
    """A request and its way, in seconds of true time; None is what did not happen (yet)."""

    process: Process
    request: Request
    course: Course
    began_at: float
    written_at: float | None = None
    """Never, where there was no connection."""
    arrived_at: float | None = None
    """When SES decided on it."""
    verdict: str = ""
    """What SES decided: `accepted`, or the code of its error."""
    answered_at: float | None = None
    """When something came back, even if nobody waited for it any more."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A mail that SES took on."""

    at: float
    """True time."""
    message_id: str
    request: Request
    process: str = field(compare=False)
    """The name of the process that sent it."""

    @property
    def uuid(self) -> str:
        return self.request.uuid

    @property
    def recipients(self) -> tuple[str, ...]:
        return self.request.recipients


_ROUNDING = 1e-6
"""Seconds: sums of floats are not exact, and a pacer releases just a second after it released before."""


def most_in_a_second(counts: list[tuple[float, int]]) -> int:
    """The most that any sliding second holds, of (time, count) in order of time."""
    most = total = begin = 0
    for at, count in counts:
        total += count
        while counts[begin][0] <= at - 1.0 + _ROUNDING:
            total -= counts[begin][1]
            begin += 1
        most = max(most, total)
    return most
