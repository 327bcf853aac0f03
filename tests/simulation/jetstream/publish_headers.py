"""What a publisher's headers ask of a stream."""

import re
from dataclasses import dataclass

from tests.simulation.jetstream.message import Headers

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
INVALID = -1.0
"""A TTL that can't be read."""


@dataclass(slots=True)
class Conditions:
    identity: str = ""
    stream: str = ""
    last: int | None = None
    last_identity: str | None = None
    last_of_subject: int | None = None
    about: str = ""
    """The subject that `last_of_subject` is about; empty for the message's own."""
    ttl: float | None = None
    """Seconds; 0 for a message that never goes by its age; or INVALID."""
    rollup: str = ""


def read_conditions(headers: Headers) -> Conditions:
    """Read them."""
    found = Conditions()
    for name, value in headers.items():
        match name:
            case "Nats-Msg-Id":
                found.identity = value
            case "Nats-Expected-Last-Subject-Sequence":
                found.last_of_subject = _number(value)
            case "Nats-Expected-Last-Subject-Sequence-Subject":
                found.about = value
            case "Nats-Expected-Last-Sequence":
                found.last = _number(value)
            case "Nats-Expected-Last-Msg-Id":
                found.last_identity = value
            case "Nats-Expected-Stream":
                found.stream = value
            case "Nats-TTL":
                found.ttl = _duration(value)
            case "Nats-Rollup":
                found.rollup = value.lower()
    return found


def _number(value: str) -> int:
    """No sequence is equal to what is no number."""
    return int(value) if value.isascii() and value.isdigit() else -1


def _duration(value: str) -> float:
    if value == "never":
        return 0.0
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        parts = _DURATION.findall(value)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        if "".join(number + unit for number, unit in parts) != value:
            seconds = 0.0
    return seconds if seconds >= 1.0 else INVALID
