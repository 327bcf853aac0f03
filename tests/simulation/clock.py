"""Replaces the clocks and the randomness of the standard library while a world runs."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from unittest import mock

EPOCH = 1_700_000_000.0
"""Unix seconds at the start of every world."""


class Clocks(Protocol):
    """The clocks of whatever runs at present: a process, or the environment, whose clocks are right."""

    def wall(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds."""

    def elapsed(self, clock: int) -> float:
        """Seconds, those of a suspension included; `clock` as for `time.clock_gettime`."""


@contextmanager
def replaced(clocks: Clocks, source: random.Random) -> Iterator[None]:
    """Let `time` and everything random follow the world until the block ends."""
    state = random.getstate()
    random.seed(source.getrandbits(64))
    with (
        mock.patch.object(time, "time", clocks.wall),
        mock.patch.object(time, "monotonic", clocks.monotonic),
        mock.patch.object(time, "clock_gettime", clocks.elapsed),
        mock.patch.object(os, "urandom", source.randbytes),
        mock.patch.object(random, "_urandom", source.randbytes),
    ):
        try:
            yield
        finally:
            random.setstate(state)
