"""One message of SNS from its bytes to its effect, however it was carried here (HTTP, or a queue)."""

import structlog

from email_consumer.feedback.event_reader import UnreadableEventError, read
from email_consumer.feedback.events import Greeting
from email_consumer.feedback.inbox import Inbox
from email_consumer.runtime.throttle import Throttle
from email_consumer.sns.envelope import Envelope, MessageType, parse
from email_consumer.sns.refusal import Refusal, RefusalLog
from email_consumer.sns.subscription import Subscriptions
from email_consumer.sns.verifier import Verifier

_UNKNOWN_TOLD_EVERY = 3_600.0
_KEPT = "SES has events that this version does not know: it is kept with its mail, and nothing follows from it"

_log = structlog.get_logger(__name__)


class Receiver:
    """Checks, then acts."""

    def __init__(self, verifier: Verifier, subscriptions: Subscriptions, inbox: Inbox) -> None:
        self._verifier = verifier
        self._subscriptions = subscriptions
        self._inbox = inbox
        self.refusals = RefusalLog()
        self._unknown = Throttle(_UNKNOWN_TOLD_EVERY)

    async def handle(self, body: bytes, type_header: str | None = None, *, raw_header: bool = False) -> None:
        """Return once the message's effect is durable; that includes those that have none.

        Args:
            body: the envelope.
            type_header: the header `x-amz-sns-message-type`, where there are headers.
            raw_header: SNS marked it as delivered raw.

        Raises:
            Refusal: nothing was done; it has been logged. `passing` tells whether it is worth repeating.
        """
        try:
            envelope = parse(body, type_header, raw_header=raw_header)
            await self._act(envelope)
        except Refusal as refusal:
            self.refusals.note(refusal)
            raise
        except Exception as error:
            # SNS tries again, by when a fault of ours may be mended.
            _log.exception("events.crashed")
            fault = Refusal("fault", f"a fault of this program: {error!r}", 500)
            self.refusals.note(fault)
            raise fault from error

    async def _act(self, envelope: Envelope) -> None:
        topic = await self._verifier.verify(envelope)
        match envelope.type:
            case MessageType.NOTIFICATION:
                await self._notified(envelope)
            case MessageType.SUBSCRIPTION:
                await self._subscriptions.confirm(envelope, topic)
            case MessageType.UNSUBSCRIPTION:
                self._subscriptions.unsubscribed(envelope)

    async def _notified(self, envelope: Envelope) -> None:
        try:
            event = read(envelope.message, envelope.sent_at)
        except UnreadableEventError as error:
            reason = (
                f"a genuine message of {envelope.topic_arn}, but none of SES: {error}; keep the topic for SES's events"
            )
            raise Refusal("content", reason, 400) from error
        if isinstance(event, Greeting):
            _log.info("events.greeted", topic=envelope.topic_arn, text=event.text)
        else:
            if not event.proves and (held_back := self._unknown.admit(event.kind)) is not None:
                _log.warning("events.unknown", kind=event.kind, unlogged=held_back, hint=_KEPT)
            await self._inbox.receive(envelope.message_id, event)
