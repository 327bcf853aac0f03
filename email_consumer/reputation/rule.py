"""When bounces or complaints are too many. Pure logic.

A rate counts only as far as it is certain: the lower end of Wilson's interval, three standard deviations below what was
seen, has to be above the threshold. So three bounces among the first ten mails prove nothing, and a rate just above the
threshold needs many mails.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import NamedTuple

_CERTAINTY = 3.0
"""Standard deviations. A good list is judged many times; see `tests/unit/reputation/test_rule.py`."""
_LEAST_BOUNCES = 10
_LEAST_COMPLAINTS = 5


class Level(StrEnum):
    WARN = "warn"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Rates as shares of the mails; 0 switches one off."""

    bounce_warn: float
    bounce_stop: float
    complaint_warn: float
    complaint_stop: float
    least_mails: int
    """Fewer are not judged."""


class Outcomes(NamedTuple):
    """Of mails that were sent within some time."""

    sent: int
    bounced: int
    """Hard."""
    complained: int


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    what: str
    """bounced, or complained."""
    mails: int
    """Mails that it is about."""
    count: int
    """Those of them that bounced or were complained of."""
    threshold: float

    def __str__(self) -> str:
        return (
            f"{self.count / self.mails:.2%} of {self.mails:,} mails {self.what}, "
            f"which is certain to be above {self.threshold:.2%}"
        )


def judge(found: Iterable[Outcomes], thresholds: Thresholds) -> Finding | None:
    """The worst finding about any of several sets of mails; None if all are well."""
    warning = None
    for sent, bounced, complained in found:
        if sent < thresholds.least_mails:
            continue
        for what, count, least, stop, warn in (
            ("bounced", bounced, _LEAST_BOUNCES, thresholds.bounce_stop, thresholds.bounce_warn),
            ("were complained of", complained, _LEAST_COMPLAINTS, thresholds.complaint_stop, thresholds.complaint_warn),
        ):
            if count < least:
                continue
            if _is_above(stop, count, sent):
                return Finding(Level.STOP, what, sent, count, stop)
            if warning is None and _is_above(warn, count, sent):
                warning = Finding(Level.WARN, what, sent, count, warn)
    return warning


def _is_above(threshold: float, count: int, mails: int) -> bool:
    return 0 < threshold < count / mails and lower_bound(count, mails) > threshold


def lower_bound(count: int, mails: int) -> float:
    """The least share of which `count` of `mails` are certain.

    Source: https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
    """
    share = min(1.0, count / mails)
    spread = _CERTAINTY**2 / mails
    root = sqrt(share * (1 - share) * spread + spread**2 / 4)
    return (share + spread / 2 - root) / (1 + spread)
