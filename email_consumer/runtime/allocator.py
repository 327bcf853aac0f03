"""How the C library manages memory: what large bodies took goes back to the system when they are done with."""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_… of glibc's malloc.h
_LARGE = 2**16
"""Bytes: blocks from here on are the system's own. glibc would raise this to 32 MB by and by, and then, between bodies that
come and go, keep far more than is in use."""


def give_back_large_blocks() -> None:
    """With glibc; other C libraries have no such switch."""
    with suppress(AttributeError, OSError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_MMAP_THRESHOLD, _LARGE)
        set_option(_TRIM_THRESHOLD, 2 * _LARGE)
