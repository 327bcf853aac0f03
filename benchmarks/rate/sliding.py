"""Rates out of moments."""

from collections.abc import Sequence


def most_in_a_second(moments: Sequence[float]) -> int:
    """The most of these moments (seconds, in order) that lie in any window [t, t + 1)."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def sustained(moments: Sequence[float]) -> float:
    """A second, from the first moment to the last."""
    return (len(moments) - 1) / (moments[-1] - moments[0])
