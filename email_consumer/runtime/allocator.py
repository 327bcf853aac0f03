"""Configures the C library so that memory of large message bodies is returned to the system when it is freed."""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_… of glibc's malloc.h
_LARGE = 2**16
"""Bytes; larger blocks are mapped individually. By default glibc raises this limit up to 32 MB over time, and then keeps far
more memory than is in use."""


def give_back_large_blocks() -> None:
    """Only has an effect with glibc; other C libraries have no such option."""
    with suppress(AttributeError, OSError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_MMAP_THRESHOLD, _LARGE)
        set_option(_TRIM_THRESHOLD, 2 * _LARGE)
