"""Configuration sets that bound how long SES tries to deliver a mail, by their `MaxDeliverySeconds`."""

from bisect import bisect_left
from collections.abc import Sequence

from email_consumer.message.model import EmailMessage


class DeliveryLimits:
    """Which configuration set a mail goes out with so that it does not arrive long after it expired.

    Without one SES tries for 14 hours: a one-time code would arrive when nobody can use it any more.
    """

    def __init__(self, sets: Sequence[tuple[int, str]]) -> None:
        """`sets`: seconds and name of each."""
        ordered = sorted(sets)
        self._seconds = [seconds for seconds, _ in ordered]
        self._names = [name for _, name in ordered]

    def __bool__(self) -> bool:
        return bool(self._names)

    def set_for(self, message: EmailMessage, now: float) -> str | None:
        """The tightest set that covers the time left (`now` in Unix seconds); None where the mail goes out as any other.

        It is for transactional mail that expires and names no configuration set.
        """
        if message.expires_at is None or message.configuration_set or message.is_bulk:
            return None
        place = bisect_left(self._seconds, message.expires_at.timestamp() - now)
        return self._names[place] if place < len(self._names) else None
