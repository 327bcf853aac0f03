"""What the model needs of the world around it."""

import random
from collections.abc import Callable
from typing import Protocol

from tests.simulation.clock import EPOCH

NANOSECONDS = 1_000_000_000
_EPOCH = int(EPOCH) * NANOSECONDS


class Timer(Protocol):
    def cancel(self) -> None:
        """Let it not happen."""


class Environment(Protocol):
    """See `tests.simulation.world.World`."""

    now: float
    random: random.Random

    def after(self, delay: float, callback: Callable[..., object], *args: object) -> Timer:
        """Call it in `delay` seconds."""


def nanoseconds(now: float) -> int:
    """Unix time in nanoseconds by the server's clock, which is right."""
    return _EPOCH + int(now * NANOSECONDS)


def seconds(unix_nanoseconds: int) -> float:
    """The time of the world for a time by the server's clock."""
    return (unix_nanoseconds - _EPOCH) / NANOSECONDS
