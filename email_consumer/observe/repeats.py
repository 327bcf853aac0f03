"""Lines that aiohttp and asyncio write again and again: of each kind one in a while, for a stranger may be what causes them.

This is a matter of the loggers, not of a handler: what is held back here reaches neither the log nor Sentry.
"""

import logging
import re

from email_consumer.runtime.throttle import Throttle

_LOGGERS = (
    "asyncio",
    *(f"aiohttp.{part}" for part in ("access", "client", "internal", "server", "web", "websocket")),
    "email_consumer.web.server.protocol",
)
_QUIET = 10.0
"""Seconds between two lines of a kind."""
_LONGEST_KIND = 200
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


class Repeats(logging.Filter):
    """Holds back what was said already; the next line says how many those were (`unlogged`)."""

    def __init__(self) -> None:
        super().__init__()
        self._throttle = Throttle(_QUIET)

    def filter(self, record: logging.LogRecord) -> bool:
        # The text before its arguments are put in, and of asyncio's the first line: the others name the object.
        text = _NUMBER.sub("#", str(record.msg).partition("\n")[0][:_LONGEST_KIND])
        error = record.exc_info[0] if record.exc_info else None
        unlogged = self._throttle.admit(f"{record.name} {record.levelno} {text} {error}")
        if unlogged:
            record.unlogged = unlogged
        return unlogged is not None


def hold_back_repeats() -> None:
    """From now on; what was said before is forgotten."""
    repeats = Repeats()
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for old in [each for each in logger.filters if isinstance(each, Repeats)]:
            logger.removeFilter(old)
        logger.addFilter(repeats)
