"""Webhooks: the signature by the Standard Webhooks specification, then the event."""

from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError

from email_consumer_client.errors import UnexpectedAnswerError, WebhookError
from email_consumer_client.events import Event, parse_event

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes) -> Event:
    """The event of a request, which was signed with `secret` within the last five minutes.

    Args:
        secret: of the endpoint, `whsec_…`.
        headers: of the request, in any case.
        body: of the request, unchanged to the byte.

    Raises:
        WebhookError: anything else. Answer with 400.
        ValueError: the secret is malformed.
    """
    try:
        webhook = Webhook(secret)
    except Exception as error:  # of base64 or of the package, depending on its version
        raise ValueError("the secret of a webhook endpoint looks like whsec_… (base64)") from error
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        webhook.verify(body, {name: lower[name] for name in _HEADERS if name in lower}, json_parse=False)
        event = parse_event(body)
    except (WebhookVerificationError, UnexpectedAnswerError, ValueError) as error:  # ValueError: half a signature
        raise WebhookError(str(error) or type(error).__name__) from error
    if event.id != lower["webhook-id"]:
        raise WebhookError("webhook-id is not the id of the event")
    return event
