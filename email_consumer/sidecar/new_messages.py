"""What `POST /v1/messages` takes and answers."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from email_consumer.http import ApiModel
from email_consumer.message_fields import Attachment, MailAddress, MailAddresses

# Read by hand (`clock.parse_time`): an unparsable time is a 400 in a contract older than this program.
Time = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": ["string", "null"],
            "description": "RFC 3339 with an offset, or naive and then read in TIMEZONE",
            "examples": ["2024-12-25T10:00:00+09:00", "2024-01-01 09:00:00"],
        }
    ),
]


class NewMessage(ApiModel):
    """One content for many recipients; each of them gets a mail of their own."""

    topic_id: str | int | None = None
    emails: Annotated[list[str], Field(min_length=1)]
    subject: str
    content: str | None = None
    """HTML; may be absent where `text` is given."""
    scheduled_at: Time = None
    expires_at: Time = None
    text: str | None = None
    from_email: MailAddress | None = None
    reply_to: MailAddresses = ()
    cc: MailAddresses = ()
    bcc: MailAddresses = ()
    headers: dict[str, str] = Field({})
    attachments: tuple[Attachment, ...] = ()
    tags: dict[str, str] = Field({})
    configuration_set: str | None = None
    track_opens: bool | None = None
    list_unsubscribe: bool | str | None = None


class NewMessages(ApiModel):
    """`scheduled_at` holds for all messages that name none of their own."""

    messages: Annotated[list[NewMessage], Field(min_length=1)]
    scheduled_at: Time = None


class Refusal(ApiModel):
    """A recipient that got no mail."""

    message: int
    """Index in `messages`."""
    email: int
    """Index in its `emails`."""
    error: str


class Accepted(ApiModel):
    """What was stored, durably."""

    total: int
    success: int
    errors: int
    duration_ms: int
    scheduled: bool
    """Something is due later."""
    count: int
    """The same as `success`, as an earlier service named it."""
    elapsed: str
    """The same as `duration_ms`, as an earlier service wrote it."""
    ids: list[str | None]
    """A uuid for each recipient in the order given; null for one that was refused."""
    refused: list[Refusal]
