"""SNS messages as they are posted to an HTTP endpoint, with a real signature.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html and
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import time
from urllib.parse import urlencode

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ses_sandbox.identifiers import random_uuid
from ses_sandbox.sns.topics import Subscription


class MessageType(StrEnum):
    """What an SNS message is for."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"


_SIGNED_FIELDS = {
    MessageType.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    MessageType.SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - version 1 is SHA-1


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """One message to one subscription."""

    type: MessageType
    message_id: str
    """UUID; the same in every copy and repetition."""
    topic_arn: str
    subscription_arn: str
    message: str
    subject: str | None
    token: str
    """What confirms the subscription; only in confirmations."""
    created_at: float
    """Unix seconds."""

    @property
    def region(self) -> str:
        """The region of the topic."""
        return self.topic_arn.split(":")[3]


class Signer:
    """Turns messages into signed envelopes."""

    def __init__(self, key: RSAPrivateKey, certificate: x509.Certificate) -> None:
        """The certificate must be the key's."""
        self._key = key
        self._certificate_name = certificate.fingerprint(hashes.SHA256()).hex()[:32]

    def envelope(self, message: SnsMessage, version: str) -> bytes:
        """The JSON body of the post. `version` is SignatureVersion `1` (SHA-1) or `2` (SHA-256)."""
        fields = _fields(message)
        signed = "".join(f"{name}\n{fields[name]}\n" for name in _SIGNED_FIELDS[message.type] if name in fields)
        signature = self._key.sign(signed.encode(), PKCS1v15(), _HASHES[version])
        host = f"https://sns.{message.region}.amazonaws.com"
        return orjson.dumps(
            fields
            | {
                "SignatureVersion": version,
                "Signature": b64encode(signature).decode(),
                "SigningCertURL": f"{host}/SimpleNotificationService-{self._certificate_name}.pem",
            }
            | _unsubscribe_url(message, host)
        )


def headers(message: SnsMessage, *, raw: bool) -> dict[str, str]:
    """HTTP headers of the post."""
    fields = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": message.type,
        "x-amz-sns-message-id": message.message_id,
        "x-amz-sns-topic-arn": message.topic_arn,
    }
    if message.type is MessageType.NOTIFICATION:
        fields["x-amz-sns-subscription-arn"] = message.subscription_arn
    if raw:
        fields["x-amz-sns-rawdelivery"] = "true"
    return fields


def confirmation_request(subscription: Subscription) -> SnsMessage:
    """What asks an endpoint to confirm its subscription."""
    return SnsMessage(
        type=MessageType.SUBSCRIPTION,
        message_id=random_uuid(),
        topic_arn=subscription.topic_arn,
        subscription_arn=subscription.arn,
        message=(
            f"You have chosen to subscribe to the topic {subscription.topic_arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        ),
        subject=None,
        token=subscription.token,
        created_at=time(),
    )


def _fields(message: SnsMessage) -> dict[str, str]:
    fields = {
        "Type": message.type.value,
        "MessageId": message.message_id,
        "TopicArn": message.topic_arn,
        "Message": message.message,
        "Timestamp": timestamp(message.created_at),
    }
    if message.type is MessageType.NOTIFICATION:
        return fields | ({"Subject": message.subject} if message.subject is not None else {})
    query = urlencode({"Action": "ConfirmSubscription", "TopicArn": message.topic_arn, "Token": message.token})
    url = f"https://sns.{message.region}.amazonaws.com/?{query}"
    return fields | {"Token": message.token, "SubscribeURL": url}


def _unsubscribe_url(message: SnsMessage, host: str) -> dict[str, str]:
    if message.type is not MessageType.NOTIFICATION:
        return {}
    return {"UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={message.subscription_arn}"}


def timestamp(moment: float) -> str:
    """A Unix time in seconds as AWS writes it: `2012-04-26T20:45:04.751Z`."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
