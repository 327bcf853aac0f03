"""The kinds of field a message has: what each is read from, and what is refused.

Limits are those of SES v2 SendEmail
(https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html), which botocore does not check.
"""

import base64
import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, FailFast, Field, ValidationInfo, field_serializer

from email_consumer.message.address import parse_address
from email_consumer.message.encoded_words import header_text
from email_consumer.message.keys import FromOutside, Reading, is_given
from email_consumer.message.lane import Lane
from email_consumer.message.list_unsubscribe import read_list_unsubscribe
from email_consumer.message.times import parse_time
from email_consumer.message.wire_format import from_base64

MAX_RECIPIENTS = 50
MAX_HEADERS = 15
OWN_HEADERS = frozenset({"x-request-id"})
"""Headers that the sender sets itself."""
MAX_TAGS = 48
"""SES takes 50, and two are the sender's own."""
MAX_ATTACHMENTS = 500
MAX_BYTES = 40 * 1024 * 1024
LONGEST_KEY = 256
"""Characters of a uuid or of a topic's id."""
TENANT_NAME = "[A-Za-z0-9_-]{1,64}"
"""A regular expression of SES's names of tenants."""

_ADDRESS_HEADERS = frozenset({"from", "to", "cc", "bcc", "reply-to", "subject", "sender", "return-path"})
_TENANT = re.compile(TENANT_NAME)
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
_MAX_HEADER = 996
"""Characters of name and value, as they are sent."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_one_line(text: str) -> bool:
    """Whether it has no control character but tabs."""
    return _CONTROL.search(text) is None


def _one_line(value: str) -> str:
    if not is_one_line(value):
        raise ValueError("contains a line break or another control character")
    return value


def _key(value: str) -> str:
    if "\0" in value:  # where a C library takes a text to end: two keys would become one
        raise ValueError("contains a NUL character")
    return value


def _address(value: str) -> str:
    parse_address(value)
    return value


def at_most(count: int) -> BeforeValidator:
    """Bounds a list or map before any of its entries is looked at: pydantic's own `max_length` comes after that."""

    def bounded(value: object) -> object:
        if isinstance(value, (list, tuple, dict)) and len(value) > count:
            raise ValueError(f"has {len(value):,} entries; at most {count:,} are taken")
        return value

    return BeforeValidator(bounded)


def _given_entries(value: object) -> object:
    """Those that are empty are left out, as empty fields are."""
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if is_given(each)}
    return [each for each in value if is_given(each)] if isinstance(value, (list, tuple)) else value


def _addresses(value: object) -> object:
    """One address may stand for a list of one."""
    return [value] if isinstance(value, (str, bytes)) else value


def _tags(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _TAG.fullmatch(name) or not _TAG.fullmatch(text):
            raise ValueError(f"{name!r}: names and values of tags are 1 to 256 of the characters A-Z a-z 0-9 _ -")
        if name in {"uuid", "instance"} or name.startswith("ses:"):
            raise ValueError(f"{name!r} is set by the sender itself")
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name of 1 to 126 visible ASCII characters")
        if name.lower() in _ADDRESS_HEADERS | OWN_HEADERS:
            raise ValueError(f"{name!r} can't be set as a header; use the field of that name")
        if not text or _CONTROL.search(text):
            raise ValueError(f"{name!r}: a value must be one line")
        # Encoding only makes it longer, so nothing longer than the limit needs to be encoded to be refused.
        if len(text) > _MAX_HEADER or len(name) + len(header_text(text)) > _MAX_HEADER:
            raise ValueError(f"{name!r}: name and value must have at most {_MAX_HEADER} characters as they are sent")
    return value


def _time(value: object, info: ValidationInfo) -> datetime | None:
    return parse_time(value, info.context.zone if isinstance(info.context, Reading) else UTC)


def _base64(value: object) -> object:
    """Text can't hold a file but as base64, in JSON as in MessagePack."""
    return from_base64(value) if isinstance(value, str) else value


def _lane(value: object) -> object:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return text.strip().lower() if isinstance(text, str) else text


def _number_as_text(value: object) -> object:
    return str(value) if type(value) is int else value


OneLine = Annotated[str, AfterValidator(_one_line)]
Key = Annotated[str, AfterValidator(_key), Field(min_length=1, max_length=LONGEST_KEY)]
"""Any text that stands for one mail everywhere."""
Topic = Annotated[OneLine, BeforeValidator(_number_as_text), Field(min_length=1, max_length=LONGEST_KEY)]
MailAddress = Annotated[str, AfterValidator(_address)]
_GIVEN_ENTRIES = BeforeValidator(_given_entries)
MailAddresses = Annotated[
    tuple[MailAddress, ...], FailFast(), _GIVEN_ENTRIES, at_most(MAX_RECIPIENTS), BeforeValidator(_addresses)
]
Time = Annotated[datetime | None, BeforeValidator(_time)]
"""None also for a time that means "not set"."""
Headers = Annotated[dict[str, str], AfterValidator(_headers), _GIVEN_ENTRIES, at_most(MAX_HEADERS - 1)]
Tags = Annotated[dict[str, str], AfterValidator(_tags), _GIVEN_ENTRIES, at_most(MAX_TAGS)]
ListUnsubscribe = Annotated[bool | str | None, BeforeValidator(read_list_unsubscribe)]
LaneName = Annotated[Lane, BeforeValidator(_lane)]
Tenant = Annotated[str, Field(pattern=rf"^{TENANT_NAME}$")]
UnsubscribeGroup = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
ConfigurationSet = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Attachment(FromOutside):
    """One attached file; with a `content_id` the HTML can show it inline as `cid:<content_id>`."""

    filename: Annotated[OneLine, Field(min_length=1, max_length=255)]
    """As the recipient sees it."""
    content: Annotated[bytes, BeforeValidator(_base64)]
    """The file."""
    content_type: Annotated[OneLine, Field(min_length=1, max_length=78)] = "application/octet-stream"
    """Its media type; `application/octet-stream` if not given."""
    content_id: Annotated[OneLine, Field(min_length=1, max_length=78)] | None = None
    """With it, the HTML can show the file as `cid:<content_id>`."""

    @field_serializer("content", when_used="json")
    def _as_base64(self, content: bytes) -> str:
        return base64.b64encode(content).decode()


Attachments = Annotated[tuple[Attachment, ...], FailFast(), _GIVEN_ENTRIES, at_most(MAX_ATTACHMENTS)]


def is_tag(text: str) -> bool:
    """Whether it could be what `uuid_tag` made."""
    return _TAG.fullmatch(text) is not None


def is_tenant(text: str) -> bool:
    """Whether SES could know a tenant by that name."""
    return _TENANT.fullmatch(text) is not None
