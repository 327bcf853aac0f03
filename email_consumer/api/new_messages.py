"""Request and response of `POST /v1/messages`."""

from typing import Annotated, Any, ClassVar

from pydantic import FailFast, Field, WithJsonSchema

from email_consumer.message.fields import (
    Attachments,
    ConfigurationSet,
    Headers,
    LaneName,
    ListUnsubscribe,
    MailAddress,
    MailAddresses,
    OneLine,
    Tags,
    Tenant,
    Topic,
    UnsubscribeGroup,
    at_most,
)
from email_consumer.message.keys import FromOutside
from email_consumer.message.send_window import Window, Zone
from email_consumer.web.routing import ApiModel

MAX_RECIPIENTS = 10_000
MAX_ELEMENTS = 250_000
"""Keys and values in a request: 25 per message if each recipient has one."""

# Parsed later (`batch`): an unparsable time must be a 400, as in an earlier service, not a 422.
Time = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": ["string", "null"],
            "description": "RFC 3339 with an offset; a naive time is read in TIMEZONE",
            "examples": ["2024-12-25T10:00:00+09:00", "2024-01-01 09:00:00"],
        }
    ),
]


class NewMessage(FromOutside):
    """One content for many recipients; each gets a separate mail."""

    OTHER_NAMES: ClassVar = {"plan_id": "topic_id"}
    MAY_BE_EMPTY: ClassVar = frozenset({"content"})

    topic_id: Topic | None = None
    emails: Annotated[list[str], FailFast(), Field(min_length=1), at_most(MAX_RECIPIENTS)]
    subject: OneLine
    content: str | None = None
    """HTML; optional if `text` is given."""
    scheduled_at: Time = None
    expires_at: Time = None
    text: str | None = None
    from_email: MailAddress | None = None
    reply_to: MailAddresses = ()
    cc: MailAddresses = ()
    bcc: MailAddresses = ()
    headers: Headers = Field({})
    attachments: Attachments = ()
    tags: Tags = Field({})
    configuration_set: ConfigurationSet | None = None
    track_opens: bool | None = None
    track_clicks: bool | None = None
    list_unsubscribe: ListUnsubscribe = None
    unsubscribe_group: UnsubscribeGroup | None = None
    lane: LaneName | None = None
    tenant: Tenant | None = None
    send_window: Window | None = None
    timezone: Zone | None = None


class NewMessages(FromOutside):
    """What is given here applies to all messages without it."""

    ELSEWHERE: ClassVar = {"expires_at": "each message"}  # ignored, it would let mail be sent too late

    messages: Annotated[list[NewMessage], Field(min_length=1)]
    scheduled_at: Time = None
    unsubscribe_group: UnsubscribeGroup | None = None
    lane: LaneName | None = None
    tenant: Tenant | None = None
    send_window: Window | None = None


class RefusedRecipient(ApiModel):
    """A recipient whose mail was refused."""

    message: int
    """Index in `messages`."""
    email: int
    """Index in its `emails`."""
    error: str


class Accepted(ApiModel):
    """What was durably stored."""

    total: int
    success: int
    errors: int
    duration_ms: int
    scheduled: bool
    """At least one mail is due later."""
    count: int
    """Same as `success`; the name of an earlier service."""
    elapsed: str
    """Same as `duration_ms`, in the form of an earlier service."""
    merged: int
    """Recipients whose address occurs earlier in the same message: they share one mail and uuid."""
    ids: list[str | None]
    """A uuid for each recipient in the order given; null for a refused one."""
    refused: list[RefusedRecipient]
    warnings: list[str]
    """Unknown keys of the request, which were ignored."""
