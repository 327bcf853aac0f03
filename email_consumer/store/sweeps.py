"""Sweeps: deleting what is too old, regularly and a few rows at a time."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable

import structlog

SHARE = 0.1
"""Of the writer's time, at most."""

_log = structlog.get_logger(__name__)


async def keep_sweeping(sweep: Callable[[float], Awaitable[object]], interval: float) -> None:
    """Sweep every `interval` seconds, until cancelled. `sweep` gets the time (Unix seconds).

    It may raise `sqlite3.OperationalError`, as while the disk is full: then the next sweep does its work.
    """
    while True:
        try:
            await sweep(time.time())
        except sqlite3.OperationalError as error:
            _log.warning("retention.failed", error=str(error), retry_in=interval)
        await asyncio.sleep(interval)
