"""What lies in shared buckets and streams and is none of ours: skipped, and logged without filling the log."""

import structlog
from msgpack import UnpackException
from pydantic import ValidationError

from email_consumer.message.problems import problems

_LONGEST_TEXT = 200
_MOST_KEYS = 100
"""That are told of: whoever may write to the bucket could go on for ever."""

JUNK = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,  # a number without bounds as an integer
    RecursionError,  # lists in lists in lists
    UnpackException,
)
"""What reading a value ends in that somebody else has put there."""

_log = structlog.get_logger(__name__)


class ForeignRecords:
    """Of one reader of one bucket."""

    def __init__(self, bucket: str, hint: str = "skipped; delete it unless a newer version has written it") -> None:
        self._bucket = bucket
        self._hint = hint
        self._told: set[str] = set()

    def skip(self, key: str, error: Exception) -> None:
        """The value under `key` could not be read."""
        if key in self._told or len(self._told) >= _MOST_KEYS:
            return
        self._told.add(key)
        _log.warning(
            "bucket.unreadable",
            bucket=self._bucket,
            key=key[:_LONGEST_TEXT],
            error=why_unreadable(error),
            hint=self._hint,
        )


def why_unreadable(error: Exception) -> str:
    """In a line for the log, without what was read."""
    text = problems(error)[0] if isinstance(error, ValidationError) else repr(error)
    return text[:_LONGEST_TEXT]
