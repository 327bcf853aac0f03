"""Parses SES's JSON leniently and removes IP addresses: one malformed value must not invalidate the rest.

SES quotes server responses that may contain an unpaired surrogate, which strict parsers refuse; the bounce is valid all the
same.
"""

import json  # noqa: TID251 - orjson refuses half characters
import math
import re
from typing import Any

import orjson

_IP_FIELDS = frozenset({"ipAddress", "sourceIp", "remoteMtaIp", "ses:source-ip", "ses:outgoing-ip"})
_IP_HEADERS = frozenset({"received", "x-originating-ip", "x-forwarded-for"})
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DEPTH = 32
"""SES's own records have about 5 levels."""
_MOST_DIGITS = 18


def load(text: str) -> Any:  # noqa: ANN401 - JSON
    """The value without IP addresses, safe to serialize as JSON again.

    Unpaired surrogates, NaN, infinities and excessively nested values are replaced.

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
    return _cleaned(value, _MAX_DEPTH)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)  # like orjson


def _cleaned(value: Any, levels: int) -> Any:  # noqa: ANN401 - JSON
    match value:
        case str():
            return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
        case float() if not math.isfinite(value):
            return None
        case dict() if levels:
            return {
                _cleaned(name, 0): _cleaned(each, levels - 1) for name, each in value.items() if name not in _IP_FIELDS
            }
        case list() if levels:
            return [_cleaned(each, levels - 1) for each in value if not _is_ip_header(each)]
        case dict() | list():
            return None
    return value


def _is_ip_header(value: object) -> bool:
    return isinstance(value, dict) and str(value.get("name", "")).lower() in _IP_HEADERS
