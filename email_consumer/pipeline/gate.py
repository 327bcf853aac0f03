"""What may stop a mail for good, or a copy of it: a cancelled topic, a suppressed address. Answered from memory."""

from collections.abc import Callable, Mapping

from email_consumer.core.ledger import Origin
from email_consumer.core.mail_queue import Mark
from email_consumer.core.outcome import LeftOut, Stopped, StopReason
from email_consumer.message.address import normal_form
from email_consumer.message.model import EmailMessage
from email_consumer.suppression.compact_set import SuppressedAddresses

_CLOCK_SKEW = 60.0
"""Seconds by which clocks may differ, as the version before assumed."""


def covers(mark: Mark, origin: Origin) -> bool:
    """Whether a mail was stored up to that moment."""
    if not origin.ordered:
        return origin.stored_at < mark.before
    if mark.stream is None:  # noted by the version before: the time has to tell whether it is still the same stream
        return origin.sequence <= mark.sequence and origin.stored_at <= mark.before + _CLOCK_SKEW
    return origin.stream in ("", mark.stream) and origin.sequence <= mark.sequence


class Gate:
    """Holds what the whole program knows of cancelled topics and suppressed addresses."""

    def __init__(self) -> None:
        self._cancelled: dict[str, Mark] = {}
        self.suppressed = SuppressedAddresses()
        self._listeners: list[Callable[[], None]] = []

    def on_cancel(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each cancellation: mail that passed before may be waiting."""
        self._listeners.append(listener)

    def cancel(self, topic_id: str, mark: Mark) -> None:
        """Stop mail of the topic that was stored up to this moment; later mail passes."""
        if self._cancelled.get(topic_id) == mark:  # told again, as to a worker after each outage
            return
        self._cancelled[topic_id] = mark
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
        mark = self._cancelled.get(message.topic_id or "")
        if mark and covers(mark, origin):
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
