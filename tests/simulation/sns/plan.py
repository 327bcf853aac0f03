"""What a scenario says about events: what becomes of mail, and how SNS behaves."""

from dataclasses import dataclass
from enum import Enum


class Fate(Enum):
    """What becomes of an accepted mail, as the kinds of its events in the order in which they happen."""

    DELIVERED = ("Send", "Delivery")
    DELAYED = ("Send", "DeliveryDelay", "Delivery")
    OPENED = ("Send", "Delivery", "Open")
    CLICKED = ("Send", "Delivery", "Open", "Click")
    BOUNCED = ("Send", "Bounce")
    BOUNCED_SOFTLY = ("Send", "DeliveryDelay", "Bounce:soft")
    COMPLAINED = ("Send", "Delivery", "Complaint")
    BOUNCED_PARTLY = ("Send", "Delivery", "Bounce")
    """The first recipient's server returns it; the others, if there are any, get it."""
    REJECTED = ("Send", "Reject")
    UNKNOWN = ("Send",)


@dataclass(frozen=True, slots=True)
class SnsPlan:
    """Chances are of 1, times in seconds."""

    prompt: tuple[float, float] = (0.02, 1.0)
    """How long a message usually takes, from and to."""
    late: tuple[float, float] = (30.0, 600.0)
    """How long a late one takes."""
    chance_late: float = 0.0
    chance_twice: float = 0.0
    """Of a message that is delivered though it was delivered."""
    chance_never: float = 0.0
    """Of an event that is not published at all."""
    retries: int = 3
    """After the first try; SNS's default, which a delivery policy can raise."""
    retry_delay: float = 20.0


PERFECT = SnsPlan()
USUAL = SnsPlan(chance_late=0.05, chance_twice=0.05, retries=50)
WILD = SnsPlan(chance_late=0.3, chance_twice=0.3, chance_never=0.1)
