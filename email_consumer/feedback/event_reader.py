"""Reads SES's JSON into an `Event`. The message must have been verified.

Only SES can have written it, but any field may be missing or have an undocumented type: it is then ignored, and the other
fields are used.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from email_consumer.feedback import document
from email_consumer.feedback.events import Event, Kind, RecipientResult, ValidationMessage
from email_consumer.message.address import normal_form

_KINDS = {kind.replace(" ", "").lower(): kind for kind in Kind}
_DETAILS = {
    Kind.SEND: "send",
    Kind.DELIVERY: "delivery",
    Kind.BOUNCE: "bounce",
    Kind.COMPLAINT: "complaint",
    Kind.REJECT: "reject",
    Kind.OPEN: "open",
    Kind.CLICK: "click",
    Kind.RENDERING_FAILURE: "failure",
    Kind.DELIVERY_DELAY: "deliveryDelay",
    Kind.SUBSCRIPTION: "subscription",
}
_VALIDATION = "AmazonSnsSubscriptionSucceeded"
_MACHINE_WORDS = ("automated", "bot", "machine")
_LONGEST_NAME = 64
_LONGEST_ADDRESS = 320
_LONGEST_TEXT = 1_000
_DAY = 86_400.0

Json = Mapping[str, Any]


class UnreadableEventError(Exception):
    """The message is genuine, but not one that SES sends; the text says why."""


def read(message: str, sent_at: float) -> Event | ValidationMessage:
    """Read the text of an SNS message. `sent_at` (Unix seconds) replaces a missing time of the event.

    Raises:
        UnreadableEventError: it is some other JSON.
    """
    try:
        found = document.load(message)
    except ValueError as error:
        if message.lstrip().startswith(("{", "[")):
            raise UnreadableEventError(f"invalid JSON: {error}") from error
        return ValidationMessage(
            message.strip()
        )  # such as "Successfully validated SNS topic for Amazon SES event publishing."
    if not isinstance(found, dict):
        raise UnreadableEventError("JSON, but not an object")
    name = _text(found, "eventType", _LONGEST_NAME) or _text(found, "notificationType", _LONGEST_NAME)
    if name == _VALIDATION:
        return ValidationMessage(_text(found, "message"))
    if not name:
        raise UnreadableEventError("eventType and notificationType are missing")
    return _event(_KINDS.get(name.replace(" ", "").lower(), name), found, sent_at)


def _event(kind: Kind | str, found: Json, sent_at: float) -> Event:
    mail = _object(found, "mail")
    detail = _object(found, _DETAILS[kind]) if isinstance(kind, Kind) else {}
    tags = _object(mail, "tags")
    accepted_at = _time(mail, sent_at)
    happened_at = _time(detail, sent_at) or accepted_at or sent_at
    return Event(
        kind=kind,
        message_id=_text(mail, "messageId"),
        tag=_tag(tags, "uuid") or _header(mail, "x-request-id"),
        instance=_tag(tags, "instance"),
        happened_at=happened_at,
        accepted_at=accepted_at or happened_at,
        recipients=tuple(_recipients(kind, mail, detail)),
        machine=kind in {Kind.OPEN, Kind.CLICK} and _by_machine(detail),
        raw=orjson.dumps(found).decode(),
    )


def _recipients(kind: Kind | str, mail: Json, detail: Json) -> list[RecipientResult]:
    destination = [address for each in _list(mail, "destination") if (address := _normal(each))]
    match kind:
        case Kind.BOUNCE:
            types = _text(detail, "bounceType"), _text(detail, "bounceSubType")
            named = _named(detail, "bouncedRecipients", destination)
            return [RecipientResult(address, *types, _text(each, "diagnosticCode")) for address, each in named]
        case Kind.COMPLAINT:
            types = _text(detail, "complaintFeedbackType"), _text(detail, "complaintSubType")
            named = _named(detail, "complainedRecipients", destination)
            return [RecipientResult(address, *types, _text(detail, "userAgent")) for address, _ in named]
        case Kind.DELIVERY_DELAY:
            delay = _text(detail, "delayType")
            named = _named(detail, "delayedRecipients", destination)
            return [RecipientResult(address, delay, "", _text(each, "diagnosticCode")) for address, each in named]
        case Kind.DELIVERY:
            named = _named(detail, "recipients", destination)
            return [RecipientResult(address, "", "", _text(detail, "smtpResponse")) for address, _ in named]
        case Kind.OPEN | Kind.CLICK:
            return (
                [RecipientResult(each, _text(detail, "link")) for each in destination] if len(destination) == 1 else []
            )
        case Kind.REJECT:
            return [RecipientResult(each, _text(detail, "reason")) for each in destination]
        case Kind.RENDERING_FAILURE:
            failure = _text(detail, "templateName"), "", _text(detail, "errorMessage")
            return [RecipientResult(each, *failure) for each in destination]
        case Kind.SEND | Kind.SUBSCRIPTION:
            return [RecipientResult(each, _text(detail, "source")) for each in destination]
    return [RecipientResult(each) for each in destination]


def _named(detail: Json, name: str, destination: list[str]) -> Iterator[tuple[str, Json]]:
    """The listed recipients with their record; if the mail has a single recipient, at least that one."""
    found = False
    for each in _list(detail, name):
        record = each if isinstance(each, dict) else {"emailAddress": each}
        if address := _normal(record.get("emailAddress")):
            found = True
            yield address, record
    if not found and len(destination) == 1:
        yield destination[0], {}


def _object(fields: Json, name: str) -> Json:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _list(fields: Json, name: str) -> list[Any]:
    value = fields.get(name)
    return value if isinstance(value, list) else []


def _text(fields: Json, name: str, longest: int = _LONGEST_TEXT) -> str:
    value = fields.get(name)
    return value[:longest] if isinstance(value, str) else ""


def _normal(text: object) -> str | None:
    """SES may report addresses that we don't accept: another program's mail to an internationalized mailbox."""
    if not isinstance(text, str) or "@" not in text or len(text) > _LONGEST_ADDRESS:
        return None
    try:
        return normal_form(text)
    except ValueError:
        return text.strip().lower()


def _tag(tags: Json, name: str) -> str | None:
    values = _list(tags, name)
    return values[0][:_LONGEST_TEXT] if values and isinstance(values[0], str) else None


def _header(mail: Json, name: str) -> str | None:
    for header in _list(mail, "headers"):
        if isinstance(header, dict) and _text(header, "name").lower() == name:
            return _text(header, "value")
    return None


def _time(fields: Json, sent_at: float) -> float | None:
    """A timestamp much later than the report is ignored."""
    try:
        moment = datetime.fromisoformat(_text(fields, "timestamp"))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo and 0 < moment.timestamp() < sent_at + _DAY else None


def _by_machine(detail: Json) -> bool:
    # SES reports it since August 2026 (https://aws.amazon.com/about-aws/whats-new/2026/08/amazon-ses-automated-email-interactions/),
    # under a name that may vary: any true field with such a name counts.
    return any(
        value in {True, "true", "True", "yes"}
        for name, value in detail.items()
        if isinstance(value, (bool, str)) and any(word in name.lower() for word in _MACHINE_WORDS)
    )
