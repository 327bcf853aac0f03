"""Refusals of SNS messages, and how they are counted and logged."""

from collections import Counter
from http import HTTPStatus

import structlog

from email_consumer.runtime.throttle import Throttle

_QUIET = 10.0
"""Seconds between two lines of the same cause: a flood of requests must not flood the log."""

RETRY_LATER = HTTPStatus.TOO_MANY_REQUESTS
"""For temporary conditions that strangers may have caused; 5xx is for our own failures only."""

_log = structlog.get_logger(__name__)


class MessageRefusedError(Exception):
    """Nothing was done. The text tells the operator what to fix."""

    def __init__(self, cause: str, text: str, status: int) -> None:
        """`cause` is the label in metrics; `status` the HTTP status: SNS retries after 429 and 5xx only."""
        super().__init__(text)
        self.cause = cause
        self.status = status

    @property
    def temporary(self) -> bool:
        """Whether a retry may succeed."""
        return self.status == RETRY_LATER or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class RefusalLog:
    """Counts refusals and logs them, at most one line per cause in ten seconds."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        """By cause, since the start."""
        self._throttle = Throttle(_QUIET)

    def record(self, refusal: MessageRefusedError, **context: object) -> None:
        """Count it, and log it unless one with the same cause was just logged."""
        self.refused[refusal.cause] += 1
        held_back = self._throttle.admit(refusal.cause)
        if held_back is None:
            return
        _log.warning(
            "events.refused",
            cause=refusal.cause,
            reason=str(refusal),
            status=refusal.status,
            unlogged=held_back,
            **context,
        )
