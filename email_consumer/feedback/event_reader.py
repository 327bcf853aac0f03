"""Reads SES's JSON into the vocabulary of `events`. The message must have been verified."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from email_consumer.address import normal_form
from email_consumer.feedback.events import Event, Fact, Greeting, Kind

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
_GREETING = "AmazonSnsSubscriptionSucceeded"
_IP_FIELDS = frozenset({"ipAddress", "sourceIp", "remoteMtaIp", "ses:source-ip", "ses:outgoing-ip"})
_IP_HEADERS = frozenset({"received", "x-originating-ip", "x-forwarded-for"})
_MACHINE_WORDS = ("automated", "bot", "machine")

Json = Mapping[str, Any]


class UnreadableEventError(Exception):
    """The message is genuine, but no event that we know; the text says why."""


def read(message: str, sent_at: float) -> Event | Greeting:
    """Read an SNS message's text. `sent_at` (Unix seconds) stands in for a time that the event doesn't carry.

    Raises:
        UnreadableEventError: it is JSON of some other kind.
    """
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError:
        return Greeting(message.strip())  # such as "Successfully validated SNS topic for Amazon SES event publishing."
    if not isinstance(document, dict):
        raise UnreadableEventError("JSON, but no object")
    name = document.get("eventType") or document.get("notificationType")
    if name == _GREETING:
        return Greeting(str(document.get("message", "")))
    kind = _KINDS.get(str(name).replace(" ", "").lower())
    if kind is None:
        raise UnreadableEventError(f"neither eventType nor notificationType is one of {', '.join(Kind)}")
    _remove_ip_addresses(document)
    try:
        return _event(kind, document, sent_at)
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableEventError(f"a {kind} event without {error}") from error


def _event(kind: Kind, document: Json, sent_at: float) -> Event:
    mail: Json = document["mail"]
    detail: Json = document.get(_DETAILS[kind]) or {}
    tags: Json = mail.get("tags") or {}
    return Event(
        kind=kind,
        message_id=str(mail["messageId"]),
        tag=_tag(tags, "uuid") or _header(mail, "x-request-id"),
        instance=_tag(tags, "instance"),
        happened_at=_time(detail.get("timestamp")) or _time(mail.get("timestamp")) or sent_at,
        facts=tuple(_facts(kind, mail, detail)),
        machine=kind in {Kind.OPEN, Kind.CLICK} and _by_machine(detail),
        raw=orjson.dumps(document).decode(),
    )


def _facts(kind: Kind, mail: Json, detail: Json) -> list[Fact]:
    destination: Sequence[str] = mail.get("destination") or ()
    match kind:
        case Kind.BOUNCE:
            types = _text(detail, "bounceType"), _text(detail, "bounceSubType")
            return [Fact(_address(each), *types, _text(each, "diagnosticCode")) for each in detail["bouncedRecipients"]]
        case Kind.COMPLAINT:
            types = _text(detail, "complaintFeedbackType"), _text(detail, "complaintSubType")
            return [Fact(_address(each), *types, _text(detail, "userAgent")) for each in detail["complainedRecipients"]]
        case Kind.DELIVERY_DELAY:
            delay = _text(detail, "delayType")
            delayed = detail["delayedRecipients"]
            return [Fact(_address(each), delay, "", _text(each, "diagnosticCode")) for each in delayed]
        case Kind.DELIVERY:
            return [Fact(_normal(each), "", "", _text(detail, "smtpResponse")) for each in detail["recipients"]]
        case Kind.OPEN | Kind.CLICK:
            return [Fact(_normal(each), _text(detail, "link")) for each in destination] if len(destination) == 1 else []
        case Kind.REJECT:
            return [Fact(_normal(each), _text(detail, "reason")) for each in destination]
        case Kind.RENDERING_FAILURE:
            failure = _text(detail, "templateName"), "", _text(detail, "errorMessage")
            return [Fact(_normal(each), *failure) for each in destination]
        case Kind.SEND | Kind.SUBSCRIPTION:
            return [Fact(_normal(each), _text(detail, "source")) for each in destination]


def _text(fields: Json, name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value)


def _address(recipient: Json) -> str:
    return _normal(recipient["emailAddress"])


def _normal(text: str) -> str:
    """What SES names may be no address to us: another program's mail, to an international mailbox."""
    try:
        return normal_form(text)
    except ValueError:
        return text.strip().lower()


def _tag(tags: Json, name: str) -> str | None:
    values = tags.get(name)
    return str(values[0]) if isinstance(values, list) and values else None


def _header(mail: Json, name: str) -> str | None:
    for header in mail.get("headers") or ():
        if str(header.get("name")).lower() == name:
            return str(header.get("value"))
    return None


def _time(text: object) -> float | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


def _by_machine(detail: Json) -> bool:
    # SES tells since August 2026 (https://aws.amazon.com/about-aws/whats-new/2026/08/amazon-ses-automated-email-interactions/),
    # and how the field is spelt is a detail of SES: any field of such a name that says yes will do.
    return any(
        value in {True, "true", "True", "yes"}
        for name, value in detail.items()
        if isinstance(value, (bool, str)) and any(word in name.lower() for word in _MACHINE_WORDS)
    )


def _remove_ip_addresses(value: dict[str, Any] | list[Any]) -> None:
    """In place, at any depth."""
    if isinstance(value, dict):
        for name in _IP_FIELDS.intersection(value):
            del value[name]
        inner_values: Iterable[Any] = value.values()
    else:
        value[:] = [inner for inner in value if not _is_ip_header(inner)]
        inner_values = value
    for inner in inner_values:
        if isinstance(inner, (dict, list)):
            _remove_ip_addresses(inner)


def _is_ip_header(value: object) -> bool:
    return isinstance(value, dict) and str(value.get("name", "")).lower() in _IP_HEADERS
