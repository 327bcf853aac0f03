"""Keeps the addresses of people out of the logs: the domain of an address stays, since it is what an operator needs.

The user and password of a URL are left out as well.
"""

import re

from structlog.typing import EventDict, WrappedLogger

from email_consumer.runtime.visible import without_login

_WORD = re.compile(r"[^\s<>\"'(),;:=/\[\]]+")
"""A run of characters that can stand in a bare address."""
# What is surely a domain: anything less would make versions, handles and URLs unreadable.
_DOMAIN = re.compile(r"(?:[\w-]+\.)+[^\W\d_][\w-]*|localhost", re.IGNORECASE)
_REST_OF_A_LOCAL_PART = re.compile(r"[\w.-]*")


def masked(address: str) -> str:
    """An address as a log may show it: `jane@example.com` becomes `j***@example.com`."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}***{at}{domain}" if at else "***"


def without_addresses(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    """The last processor before the renderer: masks the addresses in all texts of a line."""
    return {name: _mask(value) for name, value in fields.items()}


def _mask(value: object) -> object:
    match value:
        case str() if "@" in value:
            return _WORD.sub(lambda found: _mask_word(found[0]), without_login(value))
        case dict():
            return {key: _mask(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_mask(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
    return _mask(str(value))  # what the renderer would make of it: an exception, a path, a model


def _mask_word(word: str) -> str:
    """Goes from @ to @ and looks at each part once: a search for whole addresses would start again at each letter."""
    first, *parts = word.split("@")
    shown, local = [], first
    for number, part in enumerate(parts, start=1):
        domain = _DOMAIN.match(part)
        end = domain.end() if domain else 0
        ends_in_at = number < len(parts) and _REST_OF_A_LOCAL_PART.fullmatch(part, end)
        if local and domain and not ends_in_at:
            shown.append(f"{masked(local + '@')}{domain[0]}")
            local = part[end:]
        else:
            shown.append(f"{local}@")
            local = part
    return "".join(shown) + local
