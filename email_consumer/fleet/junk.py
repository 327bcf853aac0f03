"""What lies in a shared bucket and is none of ours: skipped, and said once a key."""

import structlog

_LONGEST_TEXT = 200
_MOST_KEYS = 100
"""That are told of: whoever may write to the bucket could go on for ever."""

JUNK = (ValueError, LookupError, TypeError, AttributeError)
"""What reading a value ends in that somebody else has put there."""

_log = structlog.get_logger(__name__)


class Junk:
    """Of one reader of one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
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
            error=repr(error)[:_LONGEST_TEXT],
            hint="skipped; delete it unless a newer version has written it",
        )
