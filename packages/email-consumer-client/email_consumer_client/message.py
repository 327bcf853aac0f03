"""A message, and its forms on the wire: MessagePack for NATS, JSON for HTTP."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

Lane = Literal["transactional", "bulk"]

_FOR_ALL_TRANSPORTS = (
    "topic_id",
    "text",
    "from_email",
    "reply_to",
    "cc",
    "bcc",
    "headers",
    "tags",
    "configuration_set",
    "track_opens",
    "track_clicks",
    "list_unsubscribe",
    "unsubscribe_group",
    "lane",
    "tenant",
    "send_window",
    "timezone",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file."""

    filename: str
    """As the recipient sees it."""
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"
    content_id: str | None = None
    """With it, the HTML can show the file as `cid:<content_id>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a mail says and where it goes. Limits of each field: docs/message.md of email_consumer.

    Raises:
        ValueError: no recipient, neither `body` nor `text`, a time without offset, or a `uuid` for several recipients.
    """

    to: str | Sequence[str]
    """One recipient or several, `jane@example.com` or `Jane <jane@example.com>`. Each gets a separate mail."""
    subject: str
    body: str | None = field(default=None, repr=False)
    """The HTML; optional if `text` is given."""
    text: str | None = field(default=None, repr=False)
    """The plain-text alternative, or the whole mail where there is no `body`."""
    uuid: str | None = None
    """Over NATS only: the idempotency key of the one recipient's mail; a new one if not given."""
    topic_id: str | None = None
    """What the mail belongs to, such as a campaign: counted and cancelled together."""
    from_email: str | None = None
    """In place of the installation's `FROM_EMAIL`."""
    reply_to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    """Come back with SES's events; names and values of `A-Z a-z 0-9 _ -`."""
    configuration_set: str | None = None
    track_opens: bool | None = None
    """None: as the installation's `TRACK_OPENS` says."""
    track_clicks: bool | None = None
    """None: as the configuration set says."""
    scheduled_at: datetime | None = None
    """Not before this moment; with an offset."""
    expires_at: datetime | None = None
    """Not after this moment; with an offset."""
    list_unsubscribe: bool | str | None = None
    """True: an unsubscribe link of the installation; a text: links of yours, `<https://…>, <mailto:…>`."""
    unsubscribe_group: str | None = None
    """The kind of bulk mail that the link offers to leave, such as a newsletter."""
    lane: Lane | None = None
    """`transactional`: mail that somebody waits for. None is `bulk`."""
    tenant: str | None = None
    """The tenant of SES that the mail is sent for."""
    send_window: str | None = None
    """When it may be sent, such as `mon-fri 09:00-18:00`; outside, it waits for the next opening."""
    timezone: str | None = None
    """The recipient's, such as `Europe/Berlin`, in which the window counts."""

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ValueError("to: at least one recipient is required")
        if self.body is None and not self.text:
            raise ValueError("body or text is required")
        if self.uuid is not None and len(self.recipients) != 1:
            raise ValueError(f"uuid: stands for one mail, but there are {len(self.recipients)} recipients")
        for name in ("scheduled_at", "expires_at"):
            moment: datetime | None = getattr(self, name)
            if moment is not None and moment.utcoffset() is None:
                raise ValueError(f"{name}: a datetime with a time zone is required, not {moment!r}")

    @property
    def recipients(self) -> tuple[str, ...]:
        return (self.to,) if isinstance(self.to, str) else tuple(self.to)


def as_json(message: Message) -> dict[str, Any]:
    """An entry of `messages` in `POST /v1/messages`."""
    document = {"emails": list(message.recipients), "subject": message.subject} | _optional(message)
    if message.body is not None:
        document["content"] = message.body
    if message.attachments:
        document["attachments"] = [
            _attachment(each) | {"content": base64.b64encode(each.content).decode()} for each in message.attachments
        ]
    return document


def as_map(message: Message, uuid: str, email: str) -> dict[str, Any]:
    """The map that is published for one recipient."""
    document = {"uuid": uuid, "email": email, "subject": message.subject} | _optional(message)
    if message.body is not None:
        document["body"] = message.body
    if message.attachments:
        document["attachments"] = [_attachment(each) for each in message.attachments]
    return document


def _optional(message: Message) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name in _FOR_ALL_TRANSPORTS:
        value = getattr(message, name)
        if isinstance(value, Mapping):
            value = dict(value)
        elif value is not None and not isinstance(value, str | bool):
            value = list(value)
        if value is not None and value not in ({}, []):
            given[name] = value
    for name in ("scheduled_at", "expires_at"):
        moment: datetime | None = getattr(message, name)
        if moment is not None:
            given[name] = moment.isoformat()
    return given


def _attachment(attachment: Attachment) -> dict[str, Any]:
    values = {each.name: getattr(attachment, each.name) for each in fields(attachment)}
    return {name: value for name, value in values.items() if value is not None}
