"""SES's JSON as it is kept: whatever is odd in one place of it must not cost the rest.

A server's answer that SES quotes may hold half of a character (an unpaired surrogate), which strict readers refuse; what
the bounce says of the address is true all the same.
"""

import json  # noqa: TID251 - orjson refuses half characters
import math
import re
from typing import Any

import orjson

_IP_FIELDS = frozenset({"ipAddress", "sourceIp", "remoteMtaIp", "ses:source-ip", "ses:outgoing-ip"})
_IP_HEADERS = frozenset({"received", "x-originating-ip", "x-forwarded-for"})
_SURROGATE = re.compile("[\ud800-\udfff]")
_DEEPEST = 32
"""SES's own records have about 5 levels."""
_MOST_DIGITS = 18


def load(text: str) -> Any:  # noqa: ANN401 - JSON
    """The value without IP addresses, and fit to be written as JSON again.

    Half characters, numbers that are none and what lies absurdly deep are replaced.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(text, parse_int=_integer)
        except RecursionError:
            raise ValueError("nested too deeply") from None
    return _kept(value, _DEEPEST)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)  # as orjson reads it


def _kept(value: Any, levels: int) -> Any:  # noqa: ANN401 - JSON
    match value:
        case str():
            return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
        case float() if not math.isfinite(value):
            return None
        case dict() if levels:
            return {_kept(name, 0): _kept(each, levels - 1) for name, each in value.items() if name not in _IP_FIELDS}
        case list() if levels:
            return [_kept(each, levels - 1) for each in value if not _is_ip_header(each)]
        case dict() | list():
            return None
    return value


def _is_ip_header(value: object) -> bool:
    return isinstance(value, dict) and str(value.get("name", "")).lower() in _IP_HEADERS
