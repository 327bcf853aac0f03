"""The lane of a mail: whether somebody is waiting for it, or it goes to many."""

from enum import StrEnum


class Lane(StrEnum):
    TRANSACTIONAL = "transactional"
    """Somebody waits for it, such as a receipt or a password reset; an unsubscribe does not stop it."""
    BULK = "bulk"
    """Newsletters, campaigns; and mail that names no lane."""
