"""What may stop a mail for good: its topic was cancelled, or a recipient is suppressed. Answered from memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from email_consumer.claim import Origin
from email_consumer.message import EmailMessage
from email_consumer.outcome import Stopped, StopReason

_CLOCK_SKEW = 60.0
"""Seconds that the stream's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Covers a topic's mail that was stored up to a moment."""

    sequence: int
    """The stream's last sequence at that moment."""
    cancelled_at: float
    """Unix seconds; for sources without an order of their own."""

    def covers(self, origin: Origin) -> bool:
        if origin.sequence:
            # A stream that was made anew counts from 1 again: then the time tells. Its clock may differ from ours.
            return origin.sequence <= self.sequence and origin.stored_at <= self.cancelled_at + _CLOCK_SKEW
        return origin.stored_at <= self.cancelled_at


class Gate:
    """Holds what the whole program knows of cancelled topics and suppressed addresses."""

    def __init__(self) -> None:
        self._cancelled: dict[str, Cancellation] = {}
        self._suppressed: dict[str, str] = {}

    def cancel(self, topic_id: str, cancellation: Cancellation) -> None:
        """Stop mail of the topic that was stored up to then; later mail passes."""
        self._cancelled[topic_id] = cancellation

    def suppress(self, addresses: Mapping[str, str]) -> None:
        """Stop mail to these addresses (lower case), each with its reason."""
        self._suppressed.update(addresses)

    def release(self, address: str) -> None:
        """Let mail to the address (lower case) pass again."""
        self._suppressed.pop(address, None)

    def check(self, message: EmailMessage, origin: Origin) -> Stopped | None:
        """None lets the mail pass."""
        cancellation = self._cancelled.get(message.topic_id or "")
        if cancellation and cancellation.covers(origin):
            return Stopped(StopReason.CANCELLED)
        if self._suppressed:
            for recipient in message.all_recipients:
                reason = self._suppressed.get(recipient.addr_spec.lower())
                if reason:
                    return Stopped(StopReason.SUPPRESSED, reason)
        return None
