"""A circuit breaker: pauses sending while SES fails for reasons unrelated to the mail, and probes until that is over.

It sits between the pipeline and SES because it decides what a failure costs. An error of ours (`Held`) opens it at once;
an outage opens it when several attempts in a row end without a verdict of SES on the mail. A single mail never opens it:
it uses up its attempts.
"""

import asyncio

import structlog

from email_consumer.core.outcome import Failed, Held, InDoubt, Interrupted, SendResult
from email_consumer.core.sender import Sender
from email_consumer.message.model import EmailMessage
from email_consumer.pipeline.pacer import Pacer
from email_consumer.runtime.backoff import backoff

_HOLDER = "ses"
_UNANSWERED_TO_OPEN = 5
"""Attempts without a verdict on the mail. A lower number would pause sending at every hiccup of SES."""
_MAILS_TO_OPEN = 3
"""Mails that these attempts have to belong to, at least."""
_PROBE_INTERVAL = 0.2
"""Seconds after which another mail is let through if the probe never reached SES.

It may have expired or be in doubt: there are many such mails after an outage, and only claiming them reveals it.
"""

_log = structlog.get_logger(__name__)


class Breaker:
    """While open, lets one mail through after each pause, which doubles; any verdict of SES on a mail closes it.

    While it is open, failures cost no attempts. Each process has its own breaker, as it has its own connection to SES.
    """

    def __init__(self, sender: Sender, pacer: Pacer, *, first_pause: float = 2.0, longest_pause: float = 60.0) -> None:
        """`first_pause` and `longest_pause`: seconds between two probes."""
        self._sender = sender
        self._pacer = pacer
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._pause = 0.0
        """Seconds until the next probe; 0 while the breaker is closed."""
        self._failures = 0
        """Openings and failed probes since the breaker was closed."""
        self._era = 0
        """Incremented when the breaker opens, stays open after a failed probe, or closes. The result of an attempt that began in
        an earlier era says nothing new."""
        self._under_way = 0
        """Attempts of this era that are still running."""
        self._unanswered = 0
        """Attempts in a row without a verdict on the mail."""
        self._unanswered_uuids: set[str] = set()
        """The uuids those attempts belong to."""
        self._timer: asyncio.TimerHandle | None = None

    async def send(self, message: EmailMessage, deadline: float) -> SendResult | Interrupted:
        """Make one attempt; a failure during an outage is returned as `Held`."""
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
            self._update(message.uuid, result)
        if self._pause and isinstance(result, Failed) and result.outage:
            return Held(_failing(result.reason))
        return result

    def _update(self, uuid: str, result: SendResult) -> None:
        match result:
            case Held(reason):
                self._open(reason)
            case Failed(reason, outage=True):
                self._suspect(uuid, _failing(reason))
            case InDoubt(reason):
                self._suspect(uuid, f"SES does not respond ({reason})")
            case _:
                self._trust()

    def _suspect(self, uuid: str, reason: str) -> None:
        self._unanswered += 1
        self._unanswered_uuids.add(uuid)
        if self._pause or (self._unanswered >= _UNANSWERED_TO_OPEN and len(self._unanswered_uuids) >= _MAILS_TO_OPEN):
            self._open(reason)

    def _open(self, reason: str) -> None:
        if not self._pause:
            _log.error(
                "queue.held", reason=reason, hint="nothing is lost; sending resumes automatically once this is over"
            )
        self._failures += 1
        self._pause = backoff(self._first_pause, self._failures, self._longest_pause)
        self._pacer.hold(_HOLDER, reason)
        self._begin_era()
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._probe)

    def _trust(self) -> None:
        if self._unanswered:
            self._unanswered = 0
            self._unanswered_uuids.clear()
        if self._pause:
            self._pause, self._failures = 0.0, 0
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
        self._timer = asyncio.get_running_loop().call_later(_PROBE_INTERVAL, self._probe)


def _failing(reason: str) -> str:
    return f"SES fails for every mail ({reason})"
