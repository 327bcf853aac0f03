"""One stored message, and how NATS writes headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.simulation.jetstream.environment import NANOSECONDS

Headers = Mapping[str, str]

_FILE_OVERHEAD, _HEADER_LENGTH, _MEMORY_OVERHEAD = 30, 4, 16
NEVER = "0001-01-01T00:00:00Z"
"""How Go writes the time that was not set."""


@dataclass(slots=True)
class StoredMessage:
    sequence: int
    subject: str
    data: bytes
    headers: Headers | None
    stored_at: int
    """Unix nanoseconds by the server's clock."""
    size: int
    """Bytes that it takes in the stream."""
    keeps: bool = False
    """It has a TTL of its own, so the stream's max_age means nothing to it."""


def header_block(headers: Headers | None) -> bytes:
    """As it is sent and stored."""
    if not headers:
        return b""
    return b"NATS/1.0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items()) + b"\r\n"


def header_length(headers: Headers | None) -> int:
    """Bytes of the header block."""
    if not headers:
        return 0
    return 12 + sum(
        len(name) + (len(value) if value.isascii() else len(value.encode())) + 4 for name, value in headers.items()
    )


def stored_size(subject: str, data: bytes, headers: Headers | None, *, in_memory: bool) -> int:
    """Bytes of a message in a stream."""
    size = len(subject) + len(data) + header_length(headers)
    if in_memory:
        return size + _MEMORY_OVERHEAD
    return size + _FILE_OVERHEAD + (_HEADER_LENGTH if headers else 0)


def rfc3339(unix_nanoseconds: int) -> str:
    """A time as Go writes it: without trailing zeros."""
    whole, part = divmod(unix_nanoseconds, NANOSECONDS)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{part:09d}".rstrip("0") + "Z" if part else f"{text}Z"


def parse_time(text: str) -> int:
    """Unix nanoseconds of an RFC 3339 time, to the microsecond."""
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * NANOSECONDS + moment.microsecond * 1000


def go_duration(nanoseconds: int) -> str:
    """A duration of whole seconds, or below a minute, as Go writes it."""
    minutes, rest = divmod(nanoseconds / NANOSECONDS, 60)
    if not minutes:
        return f"{rest:g}s"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}h{minutes}m{rest:g}s" if hours else f"{minutes}m{rest:g}s"
