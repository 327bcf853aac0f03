"""Holds the queue while SES fails for a reason that is not the mail's, and tries again by itself.

It stands between the pipeline and SES, since what it knows decides what a failure costs. Two things open it: an error
that is ours (`Held`), at once; and an outage, when several mails in a row end without SES having said anything about
them. One mail alone never does: it has its attempts, and uses them up.
"""

import asyncio

import structlog

from email_consumer.core.outcome import Failed, Held, InDoubt, Interrupted, SendResult
from email_consumer.core.sender import Sender
from email_consumer.message.model import EmailMessage
from email_consumer.pipeline.pacer import Pacer

_HOLDER = "ses"
_IN_A_ROW = 5
"""Attempts without an answer about the mail. Fewer would hold the queue often while SES fails now and then."""
_DIFFERENT = 3
"""Mails that these attempts belong to at the least."""
_UNUSED = 0.2
"""Seconds until another mail follows one that was let through and never got as far as SES.

It may have expired, or be in doubt: after an outage these are many, and only their claims tell.
"""

_log = structlog.get_logger(__name__)


class Breaker:
    """Once open, it lets one mail through after a pause that doubles, and closes on any answer about a mail.

    While it is open no failure costs an attempt. Each process has its own: its line to SES is its own, too.
    """

    def __init__(self, sender: Sender, pacer: Pacer, *, first_pause: float = 2.0, longest_pause: float = 60.0) -> None:
        """Pauses are in seconds."""
        self._sender = sender
        self._pacer = pacer
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._pause = 0.0
        """0 while it is closed."""
        self._era = 0
        """Counts the changes of what is believed of SES. An attempt that began before the last one tells nothing new."""
        self._under_way = 0
        """Attempts of this era."""
        self._unanswered = 0
        """Attempts in a row."""
        self._mails: set[str] = set()
        """That these attempts belong to."""
        self._timer: asyncio.TimerHandle | None = None

    async def send(self, message: EmailMessage, deadline: float) -> SendResult | Interrupted:
        """One attempt by the sender; a failure in an outage is returned as `Held`."""
        era = self._era
        self._under_way += 1
        try:
            result = await self._sender.send(message, deadline)
        finally:
            current = era == self._era
            if current:
                self._under_way -= 1
        if isinstance(result, Interrupted):
            return result
        if current:
            self._learn(message.uuid, result)
        if self._pause and isinstance(result, Failed) and result.outage:
            return Held(_failing(result.reason))
        return result

    def _learn(self, uuid: str, result: SendResult) -> None:
        match result:
            case Held(reason):
                self._open(reason)
            case Failed(reason, outage=True):
                self._suspect(uuid, _failing(reason))
            case InDoubt(reason):
                self._suspect(uuid, f"no attempt gets an answer of SES ({reason})")
            case _:
                self._trust()

    def _suspect(self, uuid: str, reason: str) -> None:
        self._unanswered += 1
        self._mails.add(uuid)
        if self._pause or (self._unanswered >= _IN_A_ROW and len(self._mails) >= _DIFFERENT):
            self._open(reason)

    def _open(self, reason: str) -> None:
        if not self._pause:
            _log.error(
                "queue.held", reason=reason, hint="nothing is lost; sending resumes automatically once this is over"
            )
        self._pause = min(self._pause * 2 or self._first_pause, self._longest_pause)
        self._pacer.hold(_HOLDER, reason)
        self._begin_era()
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._probe)

    def _trust(self) -> None:
        if self._unanswered:
            self._unanswered = 0
            self._mails.clear()
        if self._pause:
            self._pause = 0.0
            self._begin_era()
            self._pacer.resume(_HOLDER)
            _log.info("queue.resumed")

    def _begin_era(self) -> None:
        self._era += 1
        self._under_way = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _probe(self) -> None:
        if not self._under_way:
            self._pacer.probe()
        self._timer = asyncio.get_running_loop().call_later(_UNUSED, self._probe)


def _failing(reason: str) -> str:
    return f"SES fails whatever is sent ({reason})"
