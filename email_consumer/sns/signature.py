"""The signature of an SNS message.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from base64 import b64decode
from typing import TYPE_CHECKING

from email_consumer.sns.envelope import Envelope
from email_consumer.sns.errors import MessageRefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


def verify_signature(envelope: Envelope, key: "RSAPublicKey") -> None:
    """Verify that `key` signed the envelope.

    Raises:
        MessageRefusedError: it did not.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see the package
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256  # noqa: PLC0415

    algorithm = {"1": SHA1, "2": SHA256}.get(envelope.signature_version)  # SNS's version 1, its default, is SHA-1
    if algorithm is None:
        raise MessageRefusedError("signature", "SignatureVersion is neither 1 nor 2", 403)
    try:
        key.verify(b64decode(envelope.signature, validate=True), envelope.signed_text, PKCS1v15(), algorithm())
    except (InvalidSignature, ValueError):  # ValueError: not base64
        raise MessageRefusedError("signature", "invalid signature: the message is forged or was altered", 403) from None
