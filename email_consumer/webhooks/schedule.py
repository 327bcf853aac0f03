"""When a delivery is attempted again, and when an endpoint is given up.

The intervals are those of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: ten
attempts over three days.
"""

import random

_MINUTE, _HOUR = 60.0, 3_600.0
_DELAYS = (
    5.0,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
_JITTER = 0.1
_LONGEST_WISH = 24 * _HOUR
DISABLED_AFTER = 5 * 24 * _HOUR
"""Seconds without a single success after which an endpoint is disabled."""
TIMEOUT = 15.0
"""Seconds for an attempt, from the look-up of the host to the head of the response."""


def delay(attempts: int, retry_after: float | None = None) -> float | None:
    """Seconds until the next attempt, after that many failed ones; None: it is given up.

    `retry_after`: what the endpoint asked for, in seconds.
    """
    if attempts > len(_DELAYS):
        return None
    planned = _DELAYS[attempts - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load
    return max(planned, min(retry_after or 0.0, _LONGEST_WISH))
