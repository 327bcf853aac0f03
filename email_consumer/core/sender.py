"""The sender as the pipeline sees it: implemented by `ses.client`, wrapped by `pipeline.breaker`."""

from typing import Protocol

from email_consumer.core.outcome import Interrupted, SendResult
from email_consumer.message.model import EmailMessage


class Sender(Protocol):
    """Makes single attempts."""

    async def send(self, message: EmailMessage, deadline: float) -> SendResult | Interrupted:
        """Make exactly one request, never a retry; none at all after `deadline` (by `runtime.clock.elapsed`)."""
