"""Stops mail of cancelled topics and mail to suppressed addresses, or to any but the allowed ones. Answers from memory."""

from collections.abc import Callable, Mapping

from email_consumer.core.ledger import Origin
from email_consumer.core.mail_queue import Mark
from email_consumer.core.outcome import LeftOut, Stopped, StopReason
from email_consumer.core.safe_mode import STOPPED, SafeMode
from email_consumer.holds.active_holds import ActiveHolds
from email_consumer.message.address import normal_form
from email_consumer.message.model import EmailMessage
from email_consumer.suppression.compact_set import SuppressedAddresses
from email_consumer.suppression.suppression import Reason, stop_key

_CLOCK_SKEW = 60.0
"""Seconds by which clocks may differ, as the previous version assumed."""


def covers(mark: Mark, origin: Origin) -> bool:
    """Whether a mail was stored before or at the marked moment."""
    if not origin.ordered:
        return origin.stored_at < mark.before
    if mark.stream is None:  # written by the previous version: only the time shows whether it is still the same stream
        return origin.sequence <= mark.sequence and origin.stored_at <= mark.before + _CLOCK_SKEW
    return origin.stream in ("", mark.stream) and origin.sequence <= mark.sequence


class Gate:
    """All cancelled topics, suppressed addresses and holds this process knows of."""

    def __init__(self, safe_mode: SafeMode | None = None) -> None:
        """Without `safe_mode`, mail may go to everybody."""
        self._safe_mode = safe_mode
        self._cancelled: dict[str, Mark] = {}
        self.suppressed = SuppressedAddresses()
        self.holds = ActiveHolds()
        self._listeners: list[Callable[[], None]] = []

    def on_cancel(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each cancellation: mail that passed the gate earlier may still be waiting for its turn."""
        self._listeners.append(listener)

    def cancel(self, topic_id: str, mark: Mark) -> None:
        """Stop mail of the topic that was stored up to `mark`; later mail passes."""
        if self._cancelled.get(topic_id) == mark:  # repeated, as for a worker after each outage
            return
        self._cancelled[topic_id] = mark
        for listener in self._listeners:
            listener()

    def suppress(self, stops: Mapping[str, str]) -> None:
        """Stop mail; the keys are as `suppression.stop_key` makes them, the values are the reasons."""
        for key, reason in stops.items():
            self.suppressed.add(key, reason)

    def release(self, stop: str) -> None:
        """Undo what `suppress` did for this key."""
        self.suppressed.discard(stop)

    def check(self, message: EmailMessage, origin: Origin) -> Stopped | None:
        """Why the mail must not be sent; None if it may."""
        mark = self._cancelled.get(message.topic_id or "")
        if mark and covers(mark, origin):
            return Stopped(StopReason.CANCELLED)
        if self._safe_mode and self._safe_mode.stops(message):
            return Stopped(StopReason.SAFE_MODE, f"{normal_form(message.email)}: {STOPPED}")
        if self.suppressed and (reason := self._reason(message, address := normal_form(message.email))):
            return Stopped(StopReason.SUPPRESSED, f"{address}: {reason}")
        return None

    def permitted(self, message: EmailMessage) -> tuple[EmailMessage, tuple[LeftOut, ...]]:
        """The mail without cc and bcc recipients that are suppressed, and who they are. They do not stop the mail itself."""
        if not (message.cc or message.bcc) or not self.suppressed:
            return message, ()
        reasons = {text: self._reason(message, normal_form(text)) for text in (*message.cc, *message.bcc)}
        if not any(reasons.values()):
            return message, ()
        kept = {
            "cc": tuple(text for text in message.cc if not reasons[text]),
            "bcc": tuple(text for text in message.bcc if not reasons[text]),
        }
        found = {normal_form(text): reason for text, reason in reasons.items() if reason}
        return message.model_copy(update=kept), tuple(LeftOut(*each) for each in found.items())

    def _reason(self, message: EmailMessage, address: str) -> str | None:
        """Why the message must not go to the address (in normal form); None if it may."""
        if message.tenant and (reason := self.suppressed.reason(stop_key(address, None, message.tenant))):
            return f"{reason} (of the tenant {message.tenant})"
        reason, group = self.suppressed.reason(address), message.unsubscribe_group
        if not message.is_bulk:
            return None if reason == Reason.UNSUBSCRIBED else reason
        if reason or not group:
            return reason
        reason = self.suppressed.reason(stop_key(address, group))
        return reason and f"{reason} ({group})"
