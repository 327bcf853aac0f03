"""Sending as the pipeline sees it; `ses.client` does it, `pipeline.breaker` stands before it."""

from typing import Protocol

from email_consumer.core.outcome import Interrupted, SendResult
from email_consumer.message.model import EmailMessage


class Sender(Protocol):
    """One attempt at sending."""

    async def send(self, message: EmailMessage, deadline: float) -> SendResult | Interrupted:
        """Exactly one request, or none; never a retry. After `deadline` (event-loop clock) none."""
