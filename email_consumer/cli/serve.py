"""Runs a long-running command, and prints operator errors in plain words."""

import asyncio
from collections.abc import Coroutine

import uvloop


def serve(main: Coroutine[None, None, None]) -> None:
    """Until it ends.

    Raises:
        OperatorError: it can't start or go on.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
    except asyncio.CancelledError:
        pass  # a signal came before the daemon was up: it had no deliveries yet
