"""A clock that goes on while the machine is suspended."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS has none that goes on


def elapsed() -> float:
    """Seconds since an arbitrary moment, including those the machine was suspended.

    Leases, claims and shares of the rate expire for everybody else meanwhile, so they are measured by this clock. The event
    loop's clock stands still: by it, a machine that wakes up after ten minutes would hold everything as before.
    """
    return time.clock_gettime(_CLOCK)


def suspended() -> float:
    """Seconds that the machine has been suspended, as far as it can tell; only differences mean something."""
    return elapsed() - time.monotonic()
