"""Enforces safe mode at the last point before SES, which all mail passes, whatever way it came."""

from dataclasses import replace

from email_consumer.core.outcome import InDoubt, Interrupted, LeftOut, Rejected, SendResult, Sent
from email_consumer.core.safe_mode import STOPPED, SafeMode
from email_consumer.core.sender import Sender
from email_consumer.message.address import normal_form
from email_consumer.message.model import EmailMessage


class SafeSender:
    """Sends to allowed addresses only.

    `Gate` has stopped mail whose recipient gets nothing before it is claimed; here it would be rejected.
    """

    def __init__(self, sender: Sender, safe_mode: SafeMode) -> None:
        self._sender = sender
        self._safe_mode = safe_mode

    async def send(self, message: EmailMessage, deadline: float) -> SendResult | Interrupted:
        """Make one attempt with what `SafeMode.confined` leaves of the mail; the result names who got nothing."""
        others = self._safe_mode.others(message)
        if not others:
            return await self._sender.send(message, deadline)
        try:
            confined = self._safe_mode.confined(message)
        except ValueError as error:
            return Rejected(str(error))
        result = await self._sender.send(confined, deadline)
        if isinstance(result, Sent) and self._safe_mode.redirect_to:
            return replace(result, redirected_to=self._safe_mode.redirect_to)
        if isinstance(result, (Sent, InDoubt)) and not self._safe_mode.redirect_to:
            return replace(result, left_out=tuple(LeftOut(normal_form(each), STOPPED) for each in others))
        return result
