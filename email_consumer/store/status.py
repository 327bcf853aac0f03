"""The status codes of `email_requests`, as earlier services wrote them."""

from enum import IntEnum


class Status(IntEnum):
    CREATED = 0
    PROCESSED = 1
    """Being processed, or in doubt."""
    SENT = 2
    FAILED = 3
    STOPPED = 4
