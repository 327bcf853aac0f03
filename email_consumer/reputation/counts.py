"""What became of the mails of one topic, tenant, lane or account, by the time at which they were sent.

Mails that were sent one after another form a cohort. Events arrive late, so the newest cohorts always look better than they
are: a window may end at any cohort, and a bad list shows in its first mails while thousands more are on their way.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, MutableSequence, Sequence
from operator import add
from typing import Any

from email_consumer.reputation.rule import Outcomes

WINDOWS = (600.0, 3_600.0, 86_400.0)
"""Seconds. The short ones notice a change that the long one would dilute."""
_COHORT_MAILS = 50
_COHORT_SECONDS = 60.0
_MOST_COHORTS = 128
"""Beyond that, neighbours in the older half are merged: the older, the coarser."""


class Counts:
    """In arrays, 4 KB at most: there are thousands of these, and lists of numbers would take three times as much."""

    __slots__ = ("_bounced", "_complained", "_sent", "_since")

    def __init__(self) -> None:
        self._since = array("d")
        """When the first mail of each cohort was sent (Unix seconds), ascending."""
        self._sent = array("q")
        self._bounced = array("q")
        self._complained = array("q")

    @property
    def newest(self) -> float:
        """When the first mail of the newest cohort was sent (Unix seconds); 0 without mail."""
        return self._since[-1] if self._since else 0.0

    @property
    def total(self) -> Outcomes:
        return Outcomes(sum(self._sent), sum(self._bounced), sum(self._complained))

    def add_sent(self, at: float, mails: int) -> None:
        """Count mails that were sent at `at` (Unix seconds), after all mails so far."""
        if at < self.newest:
            self._put_back(at)
        if not self._since or self._sent[-1] >= _COHORT_MAILS or at - self._since[-1] >= _COHORT_SECONDS:
            self._forget(at - WINDOWS[-1])
            if len(self._since) >= _MOST_COHORTS:
                self._merge()
            self._append(at, 0, 0, 0)
        self._sent[-1] += mails

    def add_report(self, sent_at: float, *, bounced: bool, complained: bool) -> None:
        """Count what became of a mail that was sent at `sent_at` (Unix seconds)."""
        place = max(0, bisect_right(self._since, sent_at) - 1)
        if not self._since:  # sent before this process counted
            self._append(sent_at, 0, 0, 0)
        self._bounced[place] += bounced
        self._complained[place] += complained

    def outcomes(self, now: float) -> Iterator[Outcomes]:
        """Of every window that begins at one of `WINDOWS` before `now`, and ends at any cohort."""
        done = -1
        for window in WINDOWS:
            first = bisect_left(self._since, now - window)
            if first == done:
                continue
            done = first
            sent = bounced = complained = 0
            for place in range(first, len(self._since)):
                sent += self._sent[place]
                bounced += self._bounced[place]
                complained += self._complained[place]
                yield Outcomes(sent, bounced, complained)

    def subtract(self, part: "Counts") -> None:
        """Leave out some of these mails, which are judged for themselves."""
        columns = (self._sent, self._bounced, self._complained)
        for since, *counts in part.dump():
            place, left = max(0, bisect_right(self._since, since) - 1), counts
            while place < len(self._since) and any(left):
                left = [_take(column, place, wanted) for column, wanted in zip(columns, left, strict=True)]
                place += 1

    def dump(self) -> list[tuple[float, int, int, int]]:
        """All cohorts, as `load` takes them."""
        return list(zip(self._since, self._sent, self._bounced, self._complained, strict=True))

    @classmethod
    def load(cls, cohorts: Sequence[Sequence[Any]]) -> "Counts":
        counts = cls()
        for since, sent, bounced, complained in cohorts:
            counts._append(float(since), int(sent), int(bounced), int(complained))
        return counts

    def _append(self, since: float, sent: int, bounced: int, complained: int) -> None:
        self._since.append(since)
        self._sent.append(sent)
        self._bounced.append(bounced)
        self._complained.append(complained)

    def _put_back(self, at: float) -> None:
        """The clock was put back to `at`: what was sent after that by the clock before was sent until then."""
        for place in range(bisect_right(self._since, at), len(self._since)):
            self._since[place] = at

    def _forget(self, before: float) -> None:
        if old := bisect_left(self._since, before):
            del self._since[:old]
            for column in (self._sent, self._bounced, self._complained):
                del column[:old]

    def _merge(self) -> None:
        half = len(self._since) // 2
        self._since[:half] = self._since[:half:2]
        for column in (self._sent, self._bounced, self._complained):
            column[:half] = array("q", map(add, column[:half:2], column[1:half:2]))


def _take(column: MutableSequence[int], place: int, wanted: int) -> int:
    """Take up to `wanted` from one place; what is left to take."""
    taken = min(wanted, column[place])
    column[place] -= taken
    return wanted - taken
