"""Exponential backoff: how long to wait before the next try."""

_MOST_DOUBLINGS = 30
"""Enough for any limit; more would overflow in time."""


def backoff(first: float, failures: int, longest: float) -> float:
    """Seconds to wait after that many failures in a row (from 1): `first`, doubled after each further one, up to `longest`."""
    return min(first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), longest)
