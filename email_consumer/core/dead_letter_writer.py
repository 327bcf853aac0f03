"""Stores dead letters: one bounded try at a time, however full or unreachable their stream or queue is.

Until its dead letter is stored, the only copy of a mail is in its source. It waits there rather than in a delivery slot.
"""

import asyncio
import time

import structlog

from email_consumer.core.dead_letters import DeadLetterRefusedError, DeadLetterStore
from email_consumer.core.delivery import Original
from email_consumer.runtime.throttle import Throttle

_PATIENCE = 5.0
LONGEST_PAUSE = 300.0
"""Maximum seconds between two tries for the same mail."""
_REMEMBERED = 1.5 * LONGEST_PAUSE
"""Seconds that a failure is reported: by then the mail has been retried, unless it is gone."""
_LOG_EVERY = 10.0

_log = structlog.get_logger(__name__)


class DeadLetterWriter:
    """All dead letters of one process, so that `check` can report those that can't be stored."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        """`patience`: seconds a try may take."""
        self._patience = patience
        self._throttle = Throttle(_LOG_EVERY)
        self._errors: dict[str, tuple[str, float]] = {}
        """Why and when the last try failed, by source."""

    async def write(
        self, dead_letters: DeadLetterStore, original: Original, kind: str, reason: str, attempts: int
    ) -> bool:
        """Try once to store the dead letter; False if it is not known to be stored."""
        try:
            async with asyncio.timeout(self._patience):
                await dead_letters.store(original, kind, reason, attempts)
        except DeadLetterRefusedError as error:
            if (unlogged := self._throttle.admit(original.reference)) is not None:
                _log.error(
                    "dead_letter.refused",
                    reference=original.reference,
                    kind=kind,
                    reason=reason,
                    error=str(error),
                    hint="the mail stays in its source and is retried",
                    unlogged=unlogged,
                )
            return False
        except Exception as error:  # noqa: BLE001 - no error may cause the mail to be dropped
            self._record_error(original, kind, str(error) or f"no response within {self._patience:g} s")
            return False
        self._errors.pop(original.source, None)
        if (unlogged := self._throttle.admit(f"{kind} {reason}")) is not None:
            _log.warning(
                "mail.dead_letter",
                reference=original.reference,
                kind=kind,
                reason=reason,
                attempts=attempts,
                unlogged=unlogged,
            )
        return True

    async def check(self) -> None:
        """Raise while dead letters can't be stored.

        Raises:
            ConnectionError: with the reason of the last one.
        """
        for text, failed_at in self._errors.values():
            if time.monotonic() - failed_at < _REMEMBERED:
                raise ConnectionError(f"dead letters can't be stored: {text}")

    def _record_error(self, original: Original, kind: str, error: str) -> None:
        self._errors[original.source] = (error, time.monotonic())
        if (unlogged := self._throttle.admit(error)) is not None:
            _log.warning(
                "dead_letter.not_stored",
                reference=original.reference,
                kind=kind,
                error=error,
                hint="the mail stays in its source and is retried",
                unlogged=unlogged,
            )
