"""What may stop a mail for good, or a copy of it: a cancelled topic, a suppressed address. Answered from memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from email_consumer.address import normal_form
from email_consumer.claim import Origin
from email_consumer.message import EmailMessage
from email_consumer.outcome import LeftOut, Stopped, StopReason
from email_consumer.suppressed import SuppressedAddresses

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
        self.suppressed = SuppressedAddresses()
        self._listeners: list[Callable[[], None]] = []

    def on_cancel(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each cancellation: mail that passed before may be waiting."""
        self._listeners.append(listener)

    def cancel(self, topic_id: str, sequence: int, cancelled_at: float) -> None:
        """Stop mail of the topic that was stored up to this sequence, or moment (Unix seconds); later mail passes."""
        cancellation = Cancellation(sequence, cancelled_at)
        if self._cancelled.get(topic_id) == cancellation:  # told again, as to a worker after each outage
            return
        self._cancelled[topic_id] = cancellation
        for listener in self._listeners:
            listener()

    def suppress(self, addresses: Mapping[str, str]) -> None:
        """Stop mail to these addresses (in normal form), each with its reason."""
        for address, reason in addresses.items():
            self.suppressed.add(address, reason)

    def release(self, address: str) -> None:
        """Let mail to the address (in normal form) pass again."""
        self.suppressed.discard(address)

    def check(self, message: EmailMessage, origin: Origin) -> Stopped | None:
        """None lets the mail pass."""
        cancellation = self._cancelled.get(message.topic_id or "")
        if cancellation and cancellation.covers(origin):
            return Stopped(StopReason.CANCELLED)
        if self.suppressed and (reason := self.suppressed.reason(address := normal_form(message.email))):
            return Stopped(StopReason.SUPPRESSED, f"{address}: {reason}")
        return None

    def permitted(self, message: EmailMessage) -> tuple[EmailMessage, tuple[LeftOut, ...]]:
        """The mail without copies to suppressed addresses, and which those are: they are no reason to stop the mail."""
        if not self.suppressed or not (message.cc or message.bcc):
            return message, ()
        reasons = {text: self.suppressed.reason(normal_form(text)) for text in (*message.cc, *message.bcc)}
        if not any(reasons.values()):
            return message, ()
        kept = {
            "cc": tuple(text for text in message.cc if not reasons[text]),
            "bcc": tuple(text for text in message.bcc if not reasons[text]),
        }
        found = {normal_form(text): reason for text, reason in reasons.items() if reason}
        return message.model_copy(update=kept), tuple(LeftOut(*each) for each in found.items())
