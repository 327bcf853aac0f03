"""Client of email_consumer: publish mail, read back what became of it, receive its events.

`email_consumer_client.nats` and `email_consumer_client.django` need the extras of these names.
"""

from email_consumer_client.answers import Accepted, Attempt, ListedMail, Mail, Receipt, Refused, Result, Topic
from email_consumer_client.async_client import AsyncClient
from email_consumer_client.client import Client
from email_consumer_client.errors import (
    AccessError,
    ApiError,
    EmailConsumerError,
    InvalidRequestError,
    NotAcknowledgedError,
    NotFoundError,
    RefusedError,
    UnexpectedAnswerError,
    UnreachableError,
    UnsupportedFeatureError,
    WebhookError,
)
from email_consumer_client.events import Bounce, Event, parse_event
from email_consumer_client.message import Attachment, Lane, Message
from email_consumer_client.webhooks import verify_webhook

__all__ = [
    "Accepted",
    "AccessError",
    "ApiError",
    "AsyncClient",
    "Attachment",
    "Attempt",
    "Bounce",
    "Client",
    "EmailConsumerError",
    "Event",
    "InvalidRequestError",
    "Lane",
    "ListedMail",
    "Mail",
    "Message",
    "NotAcknowledgedError",
    "NotFoundError",
    "Receipt",
    "Refused",
    "RefusedError",
    "Result",
    "Topic",
    "UnexpectedAnswerError",
    "UnreachableError",
    "UnsupportedFeatureError",
    "WebhookError",
    "parse_event",
    "verify_webhook",
]
