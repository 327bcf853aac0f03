"""The JSON that SNS posts, read but not yet trusted.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from email_consumer.message.times import parse_time
from email_consumer.message.wire_format import parse_json
from email_consumer.sns.refusal import Refusal

_MOST_FIELDS = 1_000
"""Keys and values; SNS sends about 20. Anyone may post, and a megabyte can hold a million."""
MAX_BODY = 2**20
"""Bytes. SNS carries 256 KiB; as a JSON string that can grow."""

_NOTIFICATION_FIELDS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION_FIELDS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_MESSAGE_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RAW = "switch off raw message delivery at the SNS subscription: it carries no signature, so anyone could send it"


class MessageType(StrEnum):
    """What SNS sends."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"
    UNSUBSCRIPTION = "UnsubscribeConfirmation"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message of SNS. Before its signature is verified, anyone may have written it."""

    type: MessageType
    message_id: str
    """A UUID; SNS repeats it when it delivers the same message again."""
    topic_arn: str
    message: str
    token: str
    """What confirms a subscription; empty in notifications."""
    sent_at: float
    """Unix seconds."""
    signature: str
    """Base64."""
    signature_version: str
    certificate_url: str
    signed_text: bytes
    """What the signature is over."""


def parse(body: bytes, type_header: str | None = None, *, raw_header: bool = False) -> Envelope:
    """Read the body of a post; `type_header` is `x-amz-sns-message-type`, `raw_header` that SNS calls it a raw one.

    Raises:
        Refusal: it is too large, raw, or not a message of SNS.
    """
    if len(body) > MAX_BODY:
        raise Refusal("size", f"a body of {len(body)} bytes; SNS sends at most {MAX_BODY}", 413)
    if raw_header:
        raise Refusal("raw delivery", _RAW, 400)
    try:
        fields = parse_json(body, _MOST_FIELDS)
    except ValueError:
        raise Refusal("format", "the body is not JSON; only SNS should post to this address", 400) from None
    if not isinstance(fields, dict):
        raise Refusal("format", "the body is no JSON object; only SNS should post to this address", 400)
    if "Type" not in fields and ("eventType" in fields or "notificationType" in fields):
        raise Refusal("raw delivery", _RAW, 400)
    return _envelope(fields, type_header)


def _envelope(fields: dict[str, Any], type_header: str | None) -> Envelope:
    try:
        kind = MessageType(_text(fields, "Type"))
    except ValueError:
        raise Refusal("format", "unknown Type", 400) from None
    if type_header is not None and type_header != kind:
        raise Refusal("format", "the header x-amz-sns-message-type differs from the body's Type", 400)
    if not _MESSAGE_ID.fullmatch(_text(fields, "MessageId")):
        # Also because a line break in it would let two different messages share one signed text.
        raise Refusal("format", "the MessageId is not a UUID", 400)
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
        raise Refusal("format", f"the field {name} is missing or no text", 400)
    return value


def _time(text: str) -> float:
    try:
        written = datetime.fromisoformat(text)
        moment = parse_time(written) if written.tzinfo else None
    except ValueError:
        moment = None
    if moment is None:
        raise Refusal("format", "Timestamp is not a valid date", 400)
    return moment.timestamp()
