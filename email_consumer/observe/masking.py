"""No whole address gets into a log, whoever writes the line: errors of SES, SNS and libraries quote them too."""

import re

from structlog.typing import EventDict, WrappedLogger

# What is surely an address: anything less would make versions, handles and URLs unreadable.
_ADDRESS = re.compile(r"[^\s<>\"'(),;:=/@\[\]]+@(?:(?:[\w-]+\.)+[^\W\d_][\w-]*|localhost)(?![\w.-]*@)", re.IGNORECASE)


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
            return _ADDRESS.sub(lambda found: masked(found[0]), value)
        case dict():
            return {key: _mask(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_mask(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
    return _mask(str(value))  # what the renderer would make of it: an exception, a path, a model
