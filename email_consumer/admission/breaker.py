"""Holds the queue while SES answers with an error that is ours, and tries again by itself."""

import asyncio

import structlog

from email_consumer.admission.pacer import Pacer
from email_consumer.outcome import Failed, Held, InDoubt, SendResult

_HOLDER = "ses"
_log = structlog.get_logger(__name__)


class Breaker:
    """Opens on `Held`, lets one mail through after a pause that doubles, closes on any answer about a mail."""

    def __init__(self, pacer: Pacer, *, first_pause: float = 2.0, longest_pause: float = 60.0) -> None:
        """Pauses are in seconds."""
        self._pacer = pacer
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._pause = 0.0
        self._probing = False
        self._timer: asyncio.TimerHandle | None = None

    def report(self, result: SendResult) -> None:
        """Take note of what one call ended in."""
        match result:
            case Held(reason):
                self._open(reason)
            case Failed() | InDoubt():
                pass  # says nothing about our account
            case _ if self._pause:
                self._close()

    def _open(self, reason: str) -> None:
        if self._pause and not self._probing:
            return  # one of the calls that were already under way
        if not self._pause:
            _log.error(
                "queue.held", reason=reason, hint="nothing is lost; sending resumes by itself once this is mended"
            )
        self._pause = min(self._pause * 2 or self._first_pause, self._longest_pause)
        self._probing = False
        self._pacer.hold(_HOLDER, reason)
        self._schedule_probe()

    def _schedule_probe(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._probe)

    def _probe(self) -> None:
        self._probing = True
        self._pacer.probe()
        # The one that is let through may never get as far as SES: it may have expired, or be a duplicate.
        self._schedule_probe()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._pause, self._probing = None, 0.0, False
        self._pacer.resume(_HOLDER)
        _log.info("queue.resumed")
