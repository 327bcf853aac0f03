"""A mail's place in a trace: the header `traceparent` of https://www.w3.org/TR/trace-context/."""

import re
from collections.abc import Mapping

TRACEPARENT = "traceparent"
WELL_FORMED = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
MOST_TRACED = 65_536
"""Bytes of a message that gets the header from us: it can do without, and must not become too large for NATS."""

_WELL_FORMED = re.compile(WELL_FORMED)
_TRACE_ID = slice(3, 35)


def traceparent_of(headers: Mapping[str, str]) -> str | None:
    """The value in headers of any case; None without it, or if it is malformed."""
    for name, value in headers.items():
        if name.lower() == TRACEPARENT:
            return value if _WELL_FORMED.fullmatch(value) else None
    return None


def trace_id(traceparent: str) -> str:
    """The trace's 32 hexadecimal digits."""
    return traceparent[_TRACE_ID]
