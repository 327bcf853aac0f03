"""Which tests and seeds execute which lines: only these can notice a change of them."""

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from types import FrameType
from typing import Any

from tests.mutants.changes import Mutant

Lines = dict[str, set[int]]
"""By file."""


def traced(files: frozenset[str], work: Callable[[], Any]) -> tuple[Lines, float]:
    """The lines of the files that the work executes, and the seconds that it takes."""
    lines: defaultdict[str, set[int]] = defaultdict(set)

    def outer(frame: FrameType, _event: str, _argument: Any) -> Any:
        return inner if frame.f_code.co_filename in files else None

    def inner(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            lines[frame.f_code.co_filename].add(frame.f_lineno)
        return inner

    began = time.monotonic()
    threading.settrace(outer)
    sys.settrace(outer)
    try:
        work()
    finally:
        sys.settrace(None)
        threading.settrace(None)
    return dict(lines), time.monotonic() - began


class Reach:
    """What was found out about some tests, or seeds."""

    def __init__(self) -> None:
        self._found: defaultdict[tuple[str, int], list[tuple[float, Any]]] = defaultdict(list)

    def add(self, who: Any, lines: Lines, seconds: float) -> None:
        """`who` executes these lines, within so many seconds."""
        for file, numbers in lines.items():
            for number in numbers:
                self._found[file, number].append((seconds, who))

    def of(self, mutant: Mutant, *, seconds: float) -> list[tuple[Any, float]]:
        """Those that may notice the change, and how long each takes; the shortest first, as many as fit into this time."""
        file = str(Path(mutant.path).absolute())
        cost: dict[Any, float] = {}
        for line in mutant.lines:
            cost |= {who: took for took, who in self._found.get((file, line), ())}
        found = sorted(cost.items(), key=lambda each: (each[1], str(each[0])))
        spent = accumulate(took for _, took in found)
        return [each for each, so_far in zip(found, spent, strict=True) if so_far <= seconds]
