"""How fast to send when SES throttles although we keep to the rate we know of.

The limit is then not ours to read (GetAccount not permitted, somebody else sends by the same account) and has to be
felt: cut on a throttle, come back quickly to just under the rate at which it came, linger there, then probe beyond
it ever faster. That curve is TCP CUBIC's (RFC 9438, section 4.2). A plain straight line is either so slow that it
takes minutes to recover, or so steep that it runs into the limit every second.
"""

_CUT = 0.92
"""What is left of the rate after a throttle at the most."""
_DEEPEST_CUT = 0.5
_CUT_PAUSE = 1.0
"""Seconds between two cuts: as long as it takes to see what the first one did."""
_PLATEAU = 0.98
"""Where the curve is flat, as a share of the rate that was throttled: little is lost there, and seldom is more asked."""
_RETURN = 15.0
"""Seconds from a cut to the plateau; as many again later the rate is as far above it as it was below."""
_SMALLEST_RISE = 0.01
"""Share of the ceiling: however small the cut was, the curve leads away from the plateau."""
_FLOOR = 0.1
"""Share of the ceiling that is never gone below."""


class RateControl:
    """Pure arithmetic; times are seconds of any monotonic clock, rates are recipients a second."""

    def __init__(self, ceiling: float) -> None:
        """Start at the ceiling: the known limit is right until a throttle says otherwise."""
        self.ceiling = ceiling
        self._cut_at: float | None = None
        self._plateau = ceiling
        self._rise = 0.0
        self._accepted = 0
        self._throttled = 0

    def rate(self, now: float) -> float:
        """What to send by at this moment."""
        if self._cut_at is None:
            return self.ceiling
        rate = self._plateau + self._rise * ((now - self._cut_at) / _RETURN - 1) ** 3
        return min(self.ceiling, max(self.ceiling * _FLOOR, rate))

    def accepted(self) -> None:
        """SES took a mail."""
        self._accepted += 1

    def throttled(self, now: float) -> bool:
        """SES throttled a mail; True if that cut the rate."""
        self._throttled += 1
        if self._cut_at is not None and now - self._cut_at < _CUT_PAUSE:
            return False
        # Well over the limit, the share that SES takes says how far; near it, that share is close to 1.
        share = self._accepted / (self._accepted + self._throttled)
        rate = self.rate(now)
        self._plateau = rate * _PLATEAU
        bottom = rate * max(_DEEPEST_CUT, min(_CUT, share))
        self._rise = max(self._plateau - bottom, self.ceiling * _SMALLEST_RISE)
        self._cut_at = now
        self._accepted = self._throttled = 0
        return True
