"""The status codes of `email_requests`, compatible with earlier services."""

from enum import IntEnum


class Status(IntEnum):
    CREATED = 0
    PROCESSED = 1
    """Being sent, or in doubt."""
    SENT = 2
    FAILED = 3
    STOPPED = 4
