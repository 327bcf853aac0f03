"""Records in shared buckets and streams that are not ours: skipped, and logged without flooding the log."""

import structlog
from msgpack import UnpackException
from pydantic import ValidationError

from email_consumer.message.problems import problems

_MAX_TEXT = 200
_MAX_LOGGED_KEYS = 100
"""Keys that are logged; anybody with write access to the bucket could create any number of them."""

JUNK = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,  # an infinite number read as an integer
    RecursionError,  # deeply nested lists
    UnpackException,
)
"""Errors that reading a foreign value may raise."""

_log = structlog.get_logger(__name__)


class ForeignRecords:
    """The unreadable records of one bucket, as seen by one reader."""

    def __init__(self, bucket: str, hint: str = "skipped; delete it unless a newer version wrote it") -> None:
        self._bucket = bucket
        self._hint = hint
        self._logged: set[str] = set()

    def skip(self, key: str, error: Exception) -> None:
        """Log, once per key, that the value of `key` could not be read."""
        if key in self._logged or len(self._logged) >= _MAX_LOGGED_KEYS:
            return
        self._logged.add(key)
        _log.warning(
            "bucket.unreadable",
            bucket=self._bucket,
            key=key[:_MAX_TEXT],
            error=why_unreadable(error),
            hint=self._hint,
        )


def why_unreadable(error: Exception) -> str:
    """One line for the log, without the content itself."""
    text = problems(error)[0] if isinstance(error, ValidationError) else repr(error)
    return text[:_MAX_TEXT]
