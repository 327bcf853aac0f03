"""The names of a mail stream and its consumer, and what mail needs of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailStream:
    stream: str
    """Holds the mail."""
    subject: str
    """Of bulk mail."""
    consumer: str
    """Takes bulk mail."""
    ack_wait: float
    """Seconds without a heartbeat after which JetStream delivers a mail again."""
    concurrency: int
    """Deliveries that may be unsettled at the same time."""
    replicas: int
    """Of what has to be created."""
    transactional_subject: str = ""
    """Of transactional mail; empty for one lane."""
