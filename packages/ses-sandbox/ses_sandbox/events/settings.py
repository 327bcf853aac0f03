"""How events are produced and posted; changed at run time through `PUT /sandbox/events`."""

from dataclasses import dataclass
from typing import Literal

EventType = Literal["Send", "Delivery", "Bounce", "Complaint"]
EVENT_TYPES: tuple[EventType, ...] = ("Send", "Delivery", "Bounce", "Complaint")
"""The types that accepted mail can cause here; others are sent by `POST /sandbox/events`."""


@dataclass(slots=True)
class EventSettings:
    """The defaults are those of SNS."""

    enabled: bool = True
    """Off: accepted mail causes no events. Queued messages are still posted."""
    types: tuple[EventType, ...] = EVENT_TYPES
    duplicates: int = 1
    """Copies of every message; 1: no duplicates."""
    delay: float = 0.0
    """Seconds before a message is posted."""
    shuffle: bool = False
    """Spread messages over a second in any order."""
    retry_delay: float = 20.0
    """Seconds between attempts."""
    max_retries: int | None = 3
    """Attempts after the first; None: no limit."""
    signature_version: Literal["1", "2"] = "1"
    raw_delivery: bool = False
    """Post every message without its envelope, whatever the subscription says."""
