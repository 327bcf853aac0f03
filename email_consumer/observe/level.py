"""`LOG_LEVEL`: a level, or a filter in the style of Rust's `RUST_LOG`, such as `email_consumer=debug,botocore=warning`."""

import logging
import re
from dataclasses import dataclass, field
from typing import Self

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "off": logging.CRITICAL + 10,
}
_LOGGER = re.compile(r"[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class LogFilter:
    """`root` is the level of everything that `loggers` does not name (levels are those of `logging`)."""

    root: int = logging.INFO
    loggers: dict[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a filter.

        Raises:
            ValueError: a part is neither a level nor `logger=level`.
        """
        root, loggers = logging.INFO, {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, level = part.rpartition("=")
            if level.lower() not in _LEVELS:
                raise ValueError(f"{level!r} is not a log level; use one of {', '.join(_LEVELS)}")
            if not equals:
                root = _LEVELS[level.lower()]
            elif _LOGGER.fullmatch(name.replace("::", ".")):
                loggers[name.replace("::", ".")] = _LEVELS[level.lower()]
            else:
                raise ValueError(f"{name!r} is not the name of a logger")
        return cls(root, loggers)
