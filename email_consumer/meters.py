"""What the daemon counts of itself, as plain numbers: cheap on the hot path, read by the log line and `/metrics`."""

from collections import Counter
from dataclasses import dataclass, field

from email_consumer.outcome import Outcome


@dataclass(slots=True)
class Meters:
    """One process's counts since its start. Written by the pipeline, read by everyone."""

    received: int = 0
    """Deliveries taken in hand."""
    outcomes: Counter[type[Outcome]] = field(default_factory=Counter)
    """Settled deliveries by what became of them."""
    recipients_sent: int = 0
    """Recipients of mail that SES accepted; what SES's quota counts."""
    in_hand: int = 0
    """Deliveries between pull and settlement."""
    in_flight: int = 0
    """SES calls under way."""
    rate: float = 0.0
    """Recipients a second that the pacer allows at this moment; 0 while the queue is held."""
    peak: int = 0
    """The most recipients that were released in any sliding second since a reader last set this to 0."""
    held: str = ""
    """Why the queue is held; empty while it is not."""
