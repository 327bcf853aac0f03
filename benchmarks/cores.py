"""Which core runs what: the program under test has one to itself, everything else runs on the others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_ALL = sorted(os.sched_getaffinity(0))
UNDER_TEST = {_ALL[0]}
BESIDE = set(_ALL[1:]) or UNDER_TEST


@contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """Processes that are started inside stay on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
