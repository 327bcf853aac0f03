"""What `POST /v1/messages` takes and answers."""

from typing import Annotated, Any, ClassVar

from pydantic import FailFast, Field, WithJsonSchema

from email_consumer.message.fields import (
    Attachments,
    ConfigurationSet,
    Headers,
    ListUnsubscribe,
    MailAddress,
    MailAddresses,
    OneLine,
    Tags,
    Topic,
    at_most,
)
from email_consumer.message.keys import FromOutside
from email_consumer.message.model import NOT_BUILT
from email_consumer.web.routing import ApiModel

MAX_RECIPIENTS = 10_000
MAX_ELEMENTS = 250_000
"""Keys and values of a request: 25 for each message, should there be as many messages as recipients."""

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


class NewMessage(FromOutside):
    """One content for many recipients; each of them gets a mail of their own."""

    OTHER_NAMES: ClassVar = {"plan_id": "topic_id"}
    NOT_BUILT: ClassVar = NOT_BUILT
    MAY_BE_EMPTY: ClassVar = frozenset({"content"})

    topic_id: Topic | None = None
    emails: Annotated[list[str], FailFast(), Field(min_length=1), at_most(MAX_RECIPIENTS)]
    subject: OneLine
    content: str | None = None
    """HTML; may be absent where `text` is given."""
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
    list_unsubscribe: ListUnsubscribe = None


class NewMessages(FromOutside):
    """`scheduled_at` holds for all messages that name none of their own."""

    NOT_BUILT: ClassVar = NOT_BUILT

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
    merged: int
    """Recipients whose address was given before in the same message: all of them get one mail, with one uuid."""
    ids: list[str | None]
    """A uuid for each recipient in the order given; null for one that was refused."""
    refused: list[Refusal]
    warnings: list[str]
    """Keys of the request that mean nothing and were ignored."""
