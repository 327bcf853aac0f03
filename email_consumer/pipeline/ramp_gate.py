"""Which bulk mail has to wait for the ramp of its sender's domain: all of it that does not come from there."""

from functools import lru_cache

from email_consumer.core.ramps import Ramps, today
from email_consumer.holds.keys import ramp_key
from email_consumer.message.address import parse_address
from email_consumer.message.model import EmailMessage


class RampGate:
    """False without ramps."""

    def __init__(self, ramps: Ramps, sender: str) -> None:
        """`sender`: of mail that names none."""
        self._ramps = ramps
        self._sender = sender

    def __bool__(self) -> bool:
        return bool(self._ramps.begins)

    def covering(self, message: EmailMessage) -> str | None:
        """The key under which the mail has to wait; None if it may go on."""
        if not message.is_bulk:
            return None
        domain = _domain(message.from_email or self._sender)
        return None if self._ramps.limit(domain, today()) is None else ramp_key(domain)


@lru_cache(1_000)
def _domain(text: str) -> str:
    return parse_address(text).domain.lower()
