"""SIGTERM and SIGINT: the first signal starts a drain, the second ends the process at once."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_ENDED_BY_SIGNAL = 128

_log = structlog.get_logger(__name__)


@contextmanager
def stop_event() -> Iterator[asyncio.Event]:
    """An event that is set by the first signal, while the block lasts."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def receive(number: signal.Signals) -> None:
        if stop.is_set():
            # Requests in flight are in doubt from here on, as after any crash; the ledger knows them.
            os._exit(_ENDED_BY_SIGNAL + number)
        _log.info("daemon.stopping", signal=number.name, hint="a second signal ends it at once")
        stop.set()

    handled = (signal.SIGTERM, signal.SIGINT)
    for number in handled:
        loop.add_signal_handler(number, receive, number)
    try:
        yield stop
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
