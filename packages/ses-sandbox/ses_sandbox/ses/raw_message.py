"""MIME messages sent as Raw content."""

import binascii
from base64 import b64decode
from dataclasses import dataclass
from email import message_from_bytes
from email.headerregistry import AddressHeader
from email.message import EmailMessage
from email.policy import SMTP
from typing import cast

from ses_sandbox.aws.errors import AwsError


@dataclass(frozen=True, slots=True)
class RawEnvelope:
    """What SES reads from the header section of a raw message."""

    sender: str | None
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    headers: dict[str, str]


def parse_raw(data: str | None) -> EmailMessage:
    """The message in the base64 text of `Content.Raw.Data`.

    Raises:
        AwsError: BadRequestException, if it isn't one.
    """
    try:
        octets = b64decode(data or "", validate=True)
    except (binascii.Error, ValueError):
        raise AwsError("SerializationException", "Raw.Data is not base64") from None
    if not octets:
        raise AwsError("BadRequestException", "Raw message is empty")
    return message_from_bytes(octets, policy=SMTP)


def raw_envelope(data: str | None) -> RawEnvelope:
    """Sender, recipients and header fields of a raw message."""
    message = parse_raw(data)
    return RawEnvelope(
        sender=next(iter(_addresses(message, "From")), None),
        to=_addresses(message, "To"),
        cc=_addresses(message, "Cc"),
        bcc=_addresses(message, "Bcc"),
        subject=str(message.get("Subject", "")),
        headers={name: str(value) for name, value in message.items()},
    )


def _addresses(message: EmailMessage, name: str) -> tuple[str, ...]:
    fields = cast("list[AddressHeader]", message.get_all(name, []))
    return tuple(address.addr_spec for field in fields for address in field.addresses)
