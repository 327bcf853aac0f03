"""Parses the JSON that SNS posts; not yet trusted.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from email_consumer.message.times import parse_time
from email_consumer.message.wire_format import parse_json
from email_consumer.sns.errors import MessageRefusedError

_MAX_FIELDS = 1_000
"""Keys and values; SNS sends about 20. Anyone may post, and 1 MB can hold a million."""
MAX_BODY = 2**20
"""Bytes. SNS messages have up to 256 KiB, which can grow when escaped in JSON."""

_NOTIFICATION_FIELDS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION_FIELDS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_MESSAGE_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RAW = (
    "disable raw message delivery on the SNS subscription: raw messages have no signature, so anyone could forge them"
)


class MessageType(StrEnum):
    """The message types of SNS."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"
    UNSUBSCRIPTION = "UnsubscribeConfirmation"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An SNS message. Before its signature is verified, anyone may have written it."""

    type: MessageType
    message_id: str
    """A UUID; the same when SNS redelivers the message."""
    topic_arn: str
    message: str
    token: str
    """Confirms a subscription; empty in notifications."""
    sent_at: float
    """Unix seconds."""
    signature: str
    """Base64."""
    signature_version: str
    certificate_url: str
    signed_text: bytes
    """The text that was signed."""


def parse(body: bytes, type_header: str | None = None, *, raw_header: bool = False) -> Envelope:
    """Parse a request body; `type_header` is `x-amz-sns-message-type`, `raw_header` whether SNS marked it as raw.

    Raises:
        MessageRefusedError: it is too large, raw, or not an SNS message.
    """
    if len(body) > MAX_BODY:
        raise MessageRefusedError("size", f"a body of {len(body)} bytes; SNS sends at most {MAX_BODY}", 413)
    if raw_header:
        raise MessageRefusedError("raw delivery", _RAW, 400)
    try:
        fields = parse_json(body, _MAX_FIELDS)
    except ValueError:
        raise MessageRefusedError("format", "the body is not JSON; only SNS should post here", 400) from None
    if not isinstance(fields, dict):
        raise MessageRefusedError("format", "the body is not a JSON object; only SNS should post here", 400)
    if "Type" not in fields and ("eventType" in fields or "notificationType" in fields):
        raise MessageRefusedError("raw delivery", _RAW, 400)
    return _envelope(fields, type_header)


def _envelope(fields: dict[str, Any], type_header: str | None) -> Envelope:
    try:
        kind = MessageType(_text(fields, "Type"))
    except ValueError:
        raise MessageRefusedError("format", "unknown Type", 400) from None
    if type_header is not None and type_header != kind:
        raise MessageRefusedError("format", "the header x-amz-sns-message-type differs from the body's Type", 400)
    if not _MESSAGE_ID.fullmatch(_text(fields, "MessageId")):
        # A line break in it would also allow two different messages with the same signed text.
        raise MessageRefusedError("format", "the MessageId is not a UUID", 400)
    signed = _NOTIFICATION_FIELDS if kind is MessageType.NOTIFICATION else _CONFIRMATION_FIELDS
    return Envelope(
        type=kind,
        message_id=_text(fields, "MessageId"),
        topic_arn=_text(fields, "TopicArn"),
        message=_text(fields, "Message"),
        token="" if kind is MessageType.NOTIFICATION else _text(fields, "Token"),
        sent_at=_time(_text(fields, "Timestamp")),
        signature=_text(fields, "Signature"),
        signature_version=_text(fields, "SignatureVersion"),
        certificate_url=_text(fields, "SigningCertURL"),
        signed_text="".join(
            f"{name}\n{_text(fields, name)}\n" for name in signed if name != "Subject" or fields.get(name) is not None
        ).encode(),
    )


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise MessageRefusedError("format", f"the field {name} is missing or not text", 400)
    return value


def _time(text: str) -> float:
    try:
        written = datetime.fromisoformat(text)
        moment = parse_time(written) if written.tzinfo else None
    except ValueError:
        moment = None
    if moment is None:
        raise MessageRefusedError("format", "Timestamp is not a valid date", 400)
    return moment.timestamp()
