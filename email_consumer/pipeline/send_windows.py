"""Which mail has to wait for its send window, and until when."""

import time
from collections.abc import Callable
from zlib import crc32

from cachetools import LRUCache

from email_consumer.message.model import EmailMessage
from email_consumer.message.send_window import Opening, SendWindow, zone_named

_SPREAD = 900.0
"""Seconds from a window's opening over which the mail that waited for it is spread; half the window if that is shorter."""
_REMEMBERED = 1_000
"""Openings: of each window in each time zone."""


class SendWindows:
    """Answers from memory: mail with the same window and time zone has the same opening."""

    def __init__(
        self, default: SendWindow | None = None, zone: str = "UTC", *, clock: Callable[[], float] | None = None
    ) -> None:
        """`default`: of bulk mail that names no window; `zone`: where neither the mail nor its window names one.

        `clock`: Unix seconds; `time.time` by default.
        """
        self.default = default
        self._zone = zone
        self._clock = clock or time.time
        self._openings: LRUCache[tuple[SendWindow, str], tuple[float, Opening]] = LRUCache(_REMEMBERED)
        """With the moment for which each was computed."""

    def closed_until(self, message: EmailMessage) -> float | None:
        """When the mail may be sent (Unix seconds); None if it may be now.

        Mail that would expire within the spread comes before it does. Mail that expires before the window opens gets the
        opening, by which it has expired.
        """
        window = message.send_window or (self.default if message.is_bulk else None)
        if window is None:
            return None
        now = self._clock()
        opening = self._opening(window, message.timezone or window.zone or self._zone, now)
        if opening.begin <= now:
            return None
        spread = min(_SPREAD, (opening.end - opening.begin) / 2)
        if message.expires_at:
            spread = max(0.0, min(spread, message.expires_at.timestamp() - opening.begin))
        return opening.begin + spread * (crc32(message.uuid.encode(errors="surrogatepass")) / 2**32)

    def _opening(self, window: SendWindow, zone: str, now: float) -> Opening:
        computed_at, opening = self._openings.get((window, zone), (now, None))
        if opening is None or not computed_at <= now < opening.end:
            opening = window.opening(zone_named(zone), now)
            self._openings[window, zone] = now, opening
        return opening
