"""Why a message of SNS is not acted upon, and how the operator learns of it."""

from collections import Counter
from http import HTTPStatus

import structlog

from email_consumer.runtime.throttle import Throttle

_QUIET = 10.0
"""Seconds between two lines of the same cause: a flood of requests must not flood the log."""

AGAIN = HTTPStatus.TOO_MANY_REQUESTS
"""For what may pass, and what a stranger may have caused: 5xx are for what is ours alone."""

_log = structlog.get_logger(__name__)


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """Nothing was done. The text tells the operator what to fix."""

    def __init__(self, cause: str, text: str, status: int) -> None:
        """`cause` names the kind for counters; `status` is HTTP's: SNS repeats what got 429 or 5xx, nothing else."""
        super().__init__(text)
        self.cause = cause
        self.status = status

    @property
    def passing(self) -> bool:
        """What stood in the way may be over when the message comes again."""
        return self.status == AGAIN or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class RefusalLog:
    """One line per refusal; of those with the same cause within ten seconds only the first, with the others counted."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        """By cause, since the start."""
        self._throttle = Throttle(_QUIET)

    def note(self, refusal: Refusal, **context: object) -> None:
        """Count it, and log it unless the same was just said."""
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
