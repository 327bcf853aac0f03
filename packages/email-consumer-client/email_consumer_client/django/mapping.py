"""A Django message as ours."""

import mimetypes
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from email.message import Message as MimeMessage
from email.utils import parseaddr
from typing import Any

from django.core.mail import EmailMessage
from django.utils import timezone

from email_consumer_client.errors import UnsupportedFeatureError
from email_consumer_client.message import Attachment, Message

EXTRA = frozenset(
    {
        "configuration_set",
        "expires_at",
        "lane",
        "list_unsubscribe",
        "tenant",
        "topic_id",
        "track_clicks",
        "track_opens",
        "unsubscribe_group",
    }
)
"""Fields that `esp_extra` and the backend's `defaults` may have."""
_UNSUPPORTED = (
    "template_id",
    "merge_data",
    "merge_global_data",
    "merge_headers",
    "merge_metadata",
    "envelope_sender",
)
_ADDRESSES = frozenset({"to", "cc", "bcc"})


def as_message(email: EmailMessage, defaults: Mapping[str, Any]) -> Message:
    """Our form of a message, with `defaults` for fields that it does not have itself.

    Raises:
        UnsupportedFeatureError: it has something that can't be expressed.
    """
    for name in _UNSUPPORTED:
        if getattr(email, name, None) not in (None, {}):
            raise UnsupportedFeatureError(f"{name} is not supported")
    text, html = _bodies(email)
    headers = _Headers(email)
    to, bcc = _recipients(email)
    message = Message(
        to=to,
        subject=str(email.subject),
        body=html,
        text=text,
        from_email=str(headers.take("from") or email.from_email),
        reply_to=[str(each) for each in email.reply_to] or headers.take_list("reply-to"),
        cc=[str(each) for each in email.cc],
        bcc=bcc,
        headers=headers.rest(),
        attachments=[_attachment(each) for each in email.attachments],
        tags=_tags(email),
        track_opens=getattr(email, "track_opens", None),
        track_clicks=getattr(email, "track_clicks", None),
        scheduled_at=_moment(getattr(email, "send_at", None)),
    )
    # `defaults` yield to what the message says itself, `esp_extra` is what it says itself.
    given = {name: value for name, value in defaults.items() if getattr(message, name) is None}
    return replace(message, **given | _extra(email))


def bare_addresses(message: Message) -> list[str]:
    return [parseaddr(each)[1] or each for each in message.recipients]


def _recipients(email: EmailMessage) -> tuple[list[str], list[str]]:
    """Each of the first gets a separate mail, each with a copy to the second."""
    to, bcc = [str(each) for each in email.to if each], [str(each) for each in email.bcc if each]
    if not to and not email.cc:
        return bcc, []  # whom nobody else is to see
    if not to:
        raise UnsupportedFeatureError("cc without to is not supported")
    if len(to) > 1 and (email.cc or bcc):
        raise UnsupportedFeatureError(
            f"{len(to)} recipients in to each get a separate mail, so each mail would have a copy to those in cc and bcc;"
            " send it to one recipient, or without cc and bcc"
        )
    return to, bcc


def _bodies(email: EmailMessage) -> tuple[str | None, str | None]:
    """The plain text and the HTML."""
    text, html = (None, str(email.body)) if email.content_subtype == "html" else (str(email.body), None)
    for content, kind in getattr(email, "alternatives", None) or ():
        if kind == "text/html" and html is None:
            html = str(content)
        elif kind == "text/plain" and not text:
            text = str(content)
        else:
            raise UnsupportedFeatureError(f"a further alternative of type {kind} is not supported")
    if not text and html is None:
        html = ""  # an empty mail, perhaps with attachments
    return text or None, html


class _Headers:
    """The extra headers, from which some are taken for fields."""

    def __init__(self, email: EmailMessage) -> None:
        self._left = {str(name): str(value) for name, value in (email.extra_headers or {}).items()}
        for name in self._left:
            if name.lower() in _ADDRESSES:
                raise UnsupportedFeatureError(f"a header {name} that differs from the recipients is not supported")

    def take(self, lower: str) -> str | None:
        found = [name for name in self._left if name.lower() == lower]
        return self._left.pop(found[0]) if found else None

    def take_list(self, lower: str) -> list[str]:
        value = self.take(lower)
        return [value] if value else []

    def rest(self) -> dict[str, str]:
        self.take("reply-to")  # Django prefers the attribute, too
        return self._left


def _attachment(given: Any) -> Attachment:  # noqa: ANN401 - Django's several forms
    if isinstance(given, MimeMessage):
        return _mime_attachment(given)
    filename, content, kind = given
    kind = kind or mimetypes.guess_type(filename or "")[0] or "application/octet-stream"
    if isinstance(content, EmailMessage):
        content = content.message()
    if isinstance(content, MimeMessage):
        content = content.as_bytes()
    data = content.encode() if isinstance(content, str) else bytes(content)
    return Attachment(filename=filename or _name(kind), content=data, content_type=kind)


def _mime_attachment(part: MimeMessage) -> Attachment:
    kind = part.get_content_type()
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        raise UnsupportedFeatureError(f"an attachment of type {kind}, which has parts, is not supported")
    identifier = part.get("Content-ID", "").strip("<> ") or None
    return Attachment(
        filename=part.get_filename() or _name(kind), content=content, content_type=kind, content_id=identifier
    )


def _name(kind: str) -> str:
    return f"attachment{mimetypes.guess_extension(kind) or ''}"


def _tags(email: EmailMessage) -> dict[str, str]:
    """Anymail's metadata, and its tag as `tag`."""
    tags = {str(name): str(value) for name, value in (getattr(email, "metadata", None) or {}).items()}
    given = getattr(email, "tags", None) or []
    if len(given) > 1:
        raise UnsupportedFeatureError(f"{len(given)} tags; one is supported, and any number of metadata")
    return tags | {"tag": str(given[0])} if given else tags


def _moment(given: object) -> datetime | None:
    """Anymail's forms of `send_at`; a naive time is one of Django's current time zone."""
    match given:
        case None:
            return None
        case datetime():
            return given if given.tzinfo else _aware(given)
        case date():
            return _aware(datetime.combine(given, time()))
        case int() | float():
            return datetime.fromtimestamp(given, UTC)
    raise UnsupportedFeatureError(f"send_at: {given!r} is neither a time, a date nor a timestamp")


def _aware(naive: datetime) -> datetime:
    aware: datetime = timezone.make_aware(naive)
    return aware


def _extra(email: EmailMessage) -> dict[str, Any]:
    extra = dict(getattr(email, "esp_extra", None) or {})
    extra.pop("idempotency_key", None)  # concerns the request
    if unknown := sorted(extra.keys() - EXTRA):
        known = ", ".join(sorted(EXTRA | {"idempotency_key"}))
        raise UnsupportedFeatureError(f"esp_extra: unknown {', '.join(unknown)}; known are {known}")
    return extra
