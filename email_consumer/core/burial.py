"""Dead letters on the way to their place: one try at a time, each with an end, however full or far that place is.

Until a dead letter is stored, its mail's only copy is where it came from; that is where it waits, and not in a slot.
"""

import asyncio
from time import monotonic
from typing import Protocol

import structlog

from email_consumer.core.delivery import Original
from email_consumer.runtime.throttle import Throttle

_PATIENCE = 5.0
LONGEST_PAUSE = 300.0
"""Seconds between two tries for one mail, at the most."""
_REMEMBERED = 1.5 * LONGEST_PAUSE
"""Seconds that a failure is believed in: whoever failed has tried again by then, unless its mail is gone."""
_SAY_EVERY = 10.0

_log = structlog.get_logger(__name__)


class DeadLetterRefusedError(Exception):
    """The dead letter is too large for its place; the text says what to raise."""


class DeadLetters(Protocol):
    """Where what can't be sent is kept."""

    async def store(self, original: Original, kind: str, reason: str, attempts: int) -> None:
        """Return once the copy is durable; storing the same original again makes no second copy.

        Raises:
            DeadLetterRefusedError: it never will be, as things are.
            Exception: not stored, or not known to be; try again.
        """


class Burial:
    """All that is buried by one process, so that `check` knows what has no place."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        """`patience`: seconds that a try may take."""
        self._patience = patience
        self._throttle = Throttle(_SAY_EVERY)
        self._faults: dict[str, tuple[str, float]] = {}
        """Why the last try failed and when, by the source of the mail."""

    async def bury(self, dead_letters: DeadLetters, original: Original, kind: str, reason: str, attempts: int) -> bool:
        """Try once to make a dead letter of it. False: it has none, as far as is known."""
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
                    hint="the mail stays where it came from, and is looked at again",
                    unlogged=unlogged,
                )
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is: the mail must not be dropped for it
            self._note(original, kind, str(error) or f"no answer for {self._patience:g} s")
            return False
        self._faults.pop(original.source, None)
        _log.warning("mail.dead_letter", reference=original.reference, kind=kind, reason=reason, attempts=attempts)
        return True

    async def check(self) -> None:
        """Raise while dead letters find no place.

        Raises:
            ConnectionError: with the reason of the last one.
        """
        for text, failed_at in self._faults.values():
            if monotonic() - failed_at < _REMEMBERED:
                raise ConnectionError(f"dead letters can't be stored: {text}")

    def _note(self, original: Original, kind: str, error: str) -> None:
        self._faults[original.source] = (error, monotonic())
        if (unlogged := self._throttle.admit(error)) is not None:
            _log.warning(
                "dead_letter.not_stored",
                reference=original.reference,
                kind=kind,
                error=error,
                hint="the mail stays where it came from, and is looked at again",
                unlogged=unlogged,
            )
