"""Signs as SNS does: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html.

Written from that page, apart from the code under test.
"""

import base64
import datetime as dt
import json
from functools import cached_property
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
_SIGNED = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
    "UnsubscribeConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
}


class SnsKey:
    """An RSA key, its certificate, and messages signed with it."""

    def __init__(self, *, valid: tuple[int, int] = (-1, 1)) -> None:
        """`valid`: the certificate's first and last day, counted from today."""
        self._valid = valid

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        """Made when it is first used: test modules have keys as constants, and every process imports all modules."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days=self._valid[0]))
            .not_valid_after(now + dt.timedelta(days=self._valid[1]))
            .sign(self._key, hashes.SHA256())
        )

    @cached_property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def notification(self, message: str = "{}", *, version: str = "1", **changed: str | None) -> dict[str, str]:
        """A signed notification; `changed` fields (None takes one out) are signed with it."""
        return self._signed({"Type": "Notification", "Message": message, "Subject": "Amazon SES"}, version, changed)

    def confirmation(
        self, kind: str = "SubscriptionConfirmation", *, version: str = "1", **changed: str | None
    ) -> dict[str, str]:
        """A signed request to confirm a subscription, or the note that one ended."""
        url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=abc"
        fields = {"Type": kind, "Message": "You have chosen", "Token": "abc" * 20, "SubscribeURL": url}
        return self._signed(fields, version, changed)

    def sign(self, fields: dict[str, str], version: str) -> str:
        text = "".join(f"{name}\n{fields[name]}\n" for name in _SIGNED[fields["Type"]] if name in fields)
        algorithm: hashes.HashAlgorithm = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - SNS's own
        return base64.b64encode(self._key.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()

    def _signed(self, fields: dict[str, str], version: str, changed: dict[str, str | None]) -> dict[str, str]:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        full = {"MessageId": str(uuid4()), "TopicArn": TOPIC, "Timestamp": now, **fields, **changed}
        kept = {name: value for name, value in full.items() if value is not None}
        return kept | {
            "SignatureVersion": version,
            "Signature": self.sign(kept, version),
            "SigningCertURL": CERTIFICATE_URL,
        }


def body(fields: dict[str, str]) -> bytes:
    return json.dumps(fields).encode()
