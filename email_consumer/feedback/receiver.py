"""Handles one SNS message, whether it came over HTTP or through a queue."""

import structlog

from email_consumer.feedback.event_reader import UnreadableEventError, read
from email_consumer.feedback.events import ValidationMessage
from email_consumer.feedback.inbox import Inbox
from email_consumer.runtime.throttle import Throttle
from email_consumer.sns.envelope import Envelope, MessageType, parse
from email_consumer.sns.errors import MessageRefusedError, RefusalLog
from email_consumer.sns.subscription import Subscriptions
from email_consumer.sns.verifier import Verifier

_UNKNOWN_LOG_INTERVAL = 3_600.0
_UNKNOWN_HINT = "an SES event type that this version does not know: it is stored with its mail, without further effect"

_log = structlog.get_logger(__name__)


class EventReceiver:
    """Verifies a message, then acts on it."""

    def __init__(self, verifier: Verifier, subscriptions: Subscriptions, inbox: Inbox) -> None:
        self._verifier = verifier
        self._subscriptions = subscriptions
        self._inbox = inbox
        self.refusals = RefusalLog()
        self._unknown = Throttle(_UNKNOWN_LOG_INTERVAL)

    async def handle(self, body: bytes, type_header: str | None = None, *, raw_header: bool = False) -> None:
        """Return once the effect of the message is durable, if it has any.

        Args:
            body: the envelope.
            type_header: the header `x-amz-sns-message-type`, over HTTP.
            raw_header: whether SNS marked it as raw delivery.

        Raises:
            MessageRefusedError: nothing was done; it has been logged. `passing` tells whether it is worth repeating.
        """
        try:
            envelope = parse(body, type_header, raw_header=raw_header)
            await self._act(envelope)
        except MessageRefusedError as refusal:
            self.refusals.record(refusal)
            raise
        except Exception as error:
            # SNS tries again; by then the bug may be fixed.
            _log.exception("events.crashed")
            internal = MessageRefusedError("internal", f"internal error: {error!r}", 500)
            self.refusals.record(internal)
            raise internal from error

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
            reason = f"a genuine message of {envelope.topic_arn}, but not an SES event: {error}; use the topic only for SES events"
            raise MessageRefusedError("content", reason, 400) from error
        if isinstance(event, ValidationMessage):
            _log.info("events.topic_validated", topic=envelope.topic_arn, text=event.text)
        else:
            if not event.proves_acceptance and (held_back := self._unknown.admit(event.kind)) is not None:
                _log.warning("events.unknown", kind=event.kind, unlogged=held_back, hint=_UNKNOWN_HINT)
            await self._inbox.receive(envelope.message_id, event)
