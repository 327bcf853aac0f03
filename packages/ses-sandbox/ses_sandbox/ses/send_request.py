"""The input of SendEmail, checked against the limits of the real service.

Source: the botocore service model of `sesv2` (which botocore itself does not enforce) and
https://docs.aws.amazon.com/ses/latest/dg/quotas.html
"""

import re
from dataclasses import dataclass
from typing import Any

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import read_document
from ses_sandbox.ses.address import bare_address
from ses_sandbox.ses.raw_message import raw_envelope

MAX_RECIPIENTS = 50
_MAX_HEADERS = 15
_MAX_HEADER_NAME = 126
_MAX_HEADER = 996
"""Characters of name and value together, since March 2026; botocore's service model may still say 870."""
_MAX_TAGS = 50
_HEADER_NAME = re.compile(r"[!-9;-@A-~]+")
_HEADER_VALUE = re.compile(r"[ -~]+")
_FEATURE_STATUS = ("ENABLED", "DISABLED")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One acceptable SendEmail request."""

    sender: str
    """As given, with its display name."""
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    recipients: tuple[str, ...]
    """Bare addresses of to, cc and bcc."""
    subject: str
    headers: dict[str, str]
    tags: dict[str, str]
    configuration_set: str | None
    tenant: str | None
    tracking: dict[str, bool]
    """What the request says itself about tracking, by `opens` and `clicks`."""
    body: bytes
    """The request as it arrived."""

    @property
    def uuid(self) -> str | None:
        """What the client correlates by: the tag `uuid`, else the header X-Request-ID."""
        tagged = self.tags.get("uuid")
        if tagged is not None:
            return tagged
        return next((value for name, value in self.headers.items() if name.lower() == "x-request-id"), None)


def parse_send_request(body: bytes) -> SendRequest:
    """Read and check a request body.

    Raises:
        AwsError: BadRequestException or SerializationException, saying what SES would not take.
    """
    document = read_document(body)
    try:
        return _checked(document, body)
    except (AttributeError, TypeError):
        raise AwsError("SerializationException", "A member is of another type than the operation's input") from None


def _checked(document: Document, body: bytes) -> SendRequest:
    content = document.get("Content") or {}
    destination = document.get("Destination") or {}
    lists = (destination.get("ToAddresses"), destination.get("CcAddresses"), destination.get("BccAddresses"))
    to, cc, bcc = (tuple(addresses or ()) for addresses in lists)
    sender = document.get("FromEmailAddress")
    if simple := content.get("Simple"):
        subject, headers = _simple(simple)
    elif raw := content.get("Raw"):
        envelope = raw_envelope(raw.get("Data"))
        sender = sender or envelope.sender
        subject, headers = envelope.subject, envelope.headers
        if not (to or cc or bcc):
            to, cc, bcc = envelope.to, envelope.cc, envelope.bcc
    elif content.get("Template"):
        raise _bad("Template content is not supported by the sandbox")
    else:
        raise _bad("Content must have one of Simple, Raw and Template")
    if not sender:
        raise _bad("FromEmailAddress is missing")
    bare_address(sender)
    configuration_set = document.get("ConfigurationSetName") or None
    tenant = document.get("TenantName") or None
    if not isinstance(configuration_set, str | None) or not isinstance(tenant, str | None):
        raise TypeError
    reply_to = tuple(document.get("ReplyToAddresses") or ())
    for address in reply_to:
        bare_address(address)
    return SendRequest(
        sender=sender,
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=reply_to,
        recipients=_recipients(to + cc + bcc),
        subject=subject,
        headers=headers,
        tags=_tags(document.get("EmailTags") or ()),
        configuration_set=configuration_set,
        tenant=tenant,
        tracking=_tracking(document.get("ConfigurationOverrides") or {}),
        body=body,
    )


def _recipients(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise _bad("Destination must have at least one recipient")
    if len(addresses) > MAX_RECIPIENTS:
        raise _bad("Recipient count exceeds 50.")
    return tuple(map(bare_address, addresses))


def _simple(simple: Document) -> tuple[str, dict[str, str]]:
    subject = (simple.get("Subject") or {}).get("Data")
    if subject is None:
        raise _bad("Subject is missing")
    if not isinstance(subject, str):
        raise TypeError
    if "\r" in subject or "\n" in subject:
        raise _bad("Subject contains a line break")
    body = simple.get("Body") or {}
    if all((body.get(part) or {}).get("Data") is None for part in ("Html", "Text")):
        raise _bad("Body must have at least one of Html and Text")
    for attachment in simple.get("Attachments") or ():
        if not attachment.get("FileName") or attachment.get("RawContent") is None:
            raise _bad("An attachment needs FileName and RawContent")
    return subject, _headers(simple.get("Headers") or ())


def _headers(headers: list[Document] | tuple[()]) -> dict[str, str]:
    if len(headers) > _MAX_HEADERS:
        raise _bad(f"Header count exceeds {_MAX_HEADERS}.")
    pairs = {}
    for header in headers:
        name, value = header.get("Name") or "", header.get("Value") or ""
        if len(name) > _MAX_HEADER_NAME or not _HEADER_NAME.fullmatch(name):
            raise _bad(f"Invalid header name <{name}>")
        if len(name) + len(value) > _MAX_HEADER or not _HEADER_VALUE.fullmatch(value):
            raise _bad(f"Invalid value of header {name}: 1 to {_MAX_HEADER} printable ASCII characters, name included")
        pairs[name] = value
    return pairs


def _tags(tags: list[Document] | tuple[()]) -> dict[str, str]:
    if len(tags) > _MAX_TAGS:
        raise _bad(f"Tag count exceeds {_MAX_TAGS}.")
    pairs = {}
    for tag in tags:
        name, value = tag.get("Name") or "", tag.get("Value") or ""
        for part, text in (("name", name), ("value", value)):
            if not _TAG.fullmatch(text):
                raise _bad(
                    f"Invalid tag {part} <{text}>: only alphanumeric ASCII characters, '_', and '-' are allowed."
                )
        if name in pairs:
            raise _bad(f"Duplicate tag name <{name}>.")
        pairs[name] = value
    return pairs


def _tracking(overrides: Document) -> dict[str, bool]:
    given = overrides.get("Tracking") or {}
    named = {"opens": given.get("OpenTrackingEnabled"), "clicks": given.get("ClickTrackingEnabled")}
    if not {*named.values()} <= {None, *_FEATURE_STATUS}:
        raise _bad(f"Tracking overrides must be one of {', '.join(_FEATURE_STATUS)}")
    return {name: value == "ENABLED" for name, value in named.items() if value is not None}


def _bad(message: str) -> AwsError:
    return AwsError("BadRequestException", message)
