"""Verifies that a message was sent by one of our SNS topics.

The order of the checks matters: nothing is fetched before the topic is known to be ours and the URL to belong to SNS.
"""

import re
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from email_consumer.sns.certificates import DAY, Certificates, usable_key
from email_consumer.sns.envelope import Envelope
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.sns.signature import verify_signature
from email_consumer.sns.topic_arn import SANDBOX_ACCOUNT, TopicArn

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

OLDEST = 30 * DAY
"""Seconds. SNS over HTTP gives up within hours and SQS keeps a message for at most 14 days; message ids are remembered
longer than this (see `inbox`), so that applied messages can't be replayed."""


class Verifier:
    """Anyone can sign with another topic: the list of topics is what authenticates."""

    def __init__(
        self, topics: Collection[str], certificates: Certificates, sandbox: "x509.Certificate | None" = None
    ) -> None:
        """`topics` are ARNs. `sandbox` is trusted only for topics of account 000000000000."""
        self._topics = {arn: TopicArn.parse(arn) for arn in topics}
        self._certificates = certificates
        self._sandbox = sandbox

    async def verify(self, envelope: Envelope) -> TopicArn:
        """Return the topic that signed it.

        Raises:
            MessageRefusedError: it can't be trusted.
        """
        topic = self._topics.get(envelope.topic_arn)
        if topic is None:
            raise MessageRefusedError("topic", _unknown_topic(envelope.topic_arn, any_known=bool(self._topics)), 403)
        verify_signature(envelope, await self._key(topic, envelope.certificate_url))
        if envelope.sent_at < time.time() - OLDEST:
            raise MessageRefusedError("age", "a genuine message older than 30 days: a replay", 403)
        return topic

    async def _key(self, topic: TopicArn, url: str) -> "RSAPublicKey":
        if topic.account != SANDBOX_ACCOUNT:
            check_certificate_url(url, topic)
            return await self._certificates.public_key(url)
        if self._sandbox is None:
            reason = (
                "the sandbox's topic is in SNS_TOPIC_ARNS, but the sandbox is not trusted: set SANDBOX_CERTIFICATE"
                " and an SES endpoint on this machine"
            )
            raise MessageRefusedError("sandbox", reason, 403)
        return usable_key(self._sandbox)


def check_certificate_url(url: str, topic: TopicArn) -> None:
    """Verify that the URL is a certificate of SNS in the topic's region: no port, user, query or fragment.

    Raises:
        MessageRefusedError: it is anything else.
    """
    if not re.fullmatch(rf"https://{re.escape(topic.host)}/SimpleNotificationService-[0-9a-f]{{1,64}}\.pem", url):
        raise MessageRefusedError(
            "certificate url", f"SigningCertURL is not on {topic.host}: the message is forged", 403
        )


def _unknown_topic(arn: str, *, any_known: bool) -> str:
    shown = arn if len(arn) < 300 else "an overlong ARN"  # noqa: PLR2004 - ARNs have at most 256 characters' name
    if not any_known:
        return f"SNS_TOPIC_ARNS is empty, so every event is refused; set it if {shown!r} is your topic"
    return f"{shown!r} is not in SNS_TOPIC_ARNS; add it if it is your topic, or else delete its subscription"
