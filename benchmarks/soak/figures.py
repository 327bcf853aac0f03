"""What a process has of memory, descriptors and disk, sampled over hours, and how fast that grows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, fmean, linear_regression, median
from time import monotonic

from benchmarks.usage import rss_mb

_BLOCKS = 30
_LEAST = 4
"""Samples for an interval: a line goes through any two."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Of one moment."""

    at: float
    """Seconds, on the monotonic clock."""
    memory: float
    """MB resident."""
    descriptors: int
    file: float
    """MB of the database, its log included."""


@dataclass(frozen=True, slots=True)
class Slope:
    """MB an hour."""

    value: float
    interval: float
    """The true one is this near, with 95 % confidence."""


def take_sample(pid: int, database: Path) -> Sample:
    """Of the process and its database, now."""
    descriptors = len([*Path(f"/proc/{pid}/fd").iterdir()])
    size = sum(file.stat().st_size for file in database.parent.glob(f"{database.name}*"))
    return Sample(monotonic(), rss_mb(pid), descriptors, size / 1e6)


def slope(samples: list[Sample]) -> Slope:
    """By least squares over the means of blocks: neighbouring samples are too alike to count as many."""
    size = max(1, len(samples) // _BLOCKS)
    blocks = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    hours = [fmean(each.at for each in block) / 3600 for block in blocks]
    memory = [fmean(each.memory for each in block) for block in blocks]
    if len(blocks) < _LEAST:
        return Slope(float("nan"), float("inf"))
    line = linear_regression(hours, memory)
    freedom = len(blocks) - 2
    residual = sum((y - line.intercept - line.slope * x) ** 2 for x, y in zip(hours, memory, strict=True)) / freedom
    spread = sum((x - fmean(hours)) ** 2 for x in hours)
    return Slope(line.slope, _student(freedom) * (residual / spread) ** 0.5)


def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's distribution: the first terms of its expansion around the normal one."""
    z = NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def first_and_last(samples: list[Sample], what: Callable[[Sample], float]) -> tuple[float, float]:
    """Medians of the first and the last fifth."""
    fifth = max(1, len(samples) // 5)
    return median(map(what, samples[:fifth])), median(map(what, samples[-fifth:]))
