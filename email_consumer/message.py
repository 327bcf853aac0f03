"""The message on the wire: decoded from MessagePack or JSON, validated, encoded again.

Limits are those of SES v2 SendEmail
(https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html), which botocore does not check.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Annotated, Any

import msgpack
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from email_consumer.address import Address, parse_address
from email_consumer.clock import parse_time
from email_consumer.wire_form import parse

ARRAY_FIELDS = ("uuid", "email", "subject", "body")
"""The order of the array form, as Rust's `rmp_serde::to_vec` writes it."""

MAX_RECIPIENTS = 50
MAX_HEADERS = 15
OWN_HEADERS = frozenset({"x-request-id"})
"""Headers that the sender sets itself."""
_ADDRESS_HEADERS = frozenset({"from", "to", "cc", "bcc", "reply-to", "subject", "sender", "return-path"})
_LIST_HEADERS = frozenset({"list-unsubscribe", "list-unsubscribe-post"})
MAX_BYTES = 40 * 1024 * 1024

_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
_MAX_HEADER = 870
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HASHED = "sha256-"


class UndecodableError(Exception):
    """Poison: the payload is no message, or not a valid one. The text names the fault and is safe to log."""


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("contains a line break or another control character")
    return value


def _key(value: str) -> str:
    if "\0" in value:  # where a C library takes a text to end: two keys would become one
        raise ValueError("contains a NUL character")
    return value


def _address(value: str) -> str:
    parse_address(value)
    return value


def _addresses(value: object) -> object:
    """One address may stand for a list of one."""
    return [value] if isinstance(value, (str, bytes)) else ([] if value is None else value)


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
        if not text or len(name) + len(text.encode()) > _MAX_HEADER or _CONTROL.search(text):
            raise ValueError(f"{name!r}: a value must be one line, and name and value at most {_MAX_HEADER} bytes")
    return value


OneLine = Annotated[str, AfterValidator(_one_line)]


def _time(value: object, info: ValidationInfo) -> datetime:
    return parse_time(value, (info.context or {}).get("zone", UTC))


def _base64(value: object) -> object:
    """Text can't hold a file but as base64, in JSON as in MessagePack."""
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _number_as_text(value: object) -> object:
    return str(value) if type(value) is int else value


MailAddress = Annotated[str, AfterValidator(_address)]
MailAddresses = Annotated[tuple[MailAddress, ...], BeforeValidator(_addresses)]
Time = Annotated[datetime, BeforeValidator(_time)]


class _Wire(BaseModel):
    # Unknown keys are ignored, camelCase twins accepted; bytes are read as UTF-8 text.
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Attachment(_Wire):
    """One attached file; with a `content_id` the HTML can show it inline as `cid:<content_id>`."""

    filename: Annotated[OneLine, Field(min_length=1, max_length=255)]
    content: Annotated[bytes, BeforeValidator(_base64)]
    content_type: Annotated[OneLine, Field(min_length=1, max_length=78)] = "application/octet-stream"
    content_id: Annotated[OneLine, Field(min_length=1, max_length=78)] | None = None

    @field_serializer("content", when_used="json")
    def _as_base64(self, content: bytes) -> str:
        return base64.b64encode(content).decode()


class EmailMessage(_Wire):
    """One mail. `uuid` is the idempotency key, `body` is HTML and reaches SES unchanged to the byte."""

    uuid: Annotated[str, AfterValidator(_key), Field(min_length=1, max_length=256)]
    email: MailAddress
    subject: OneLine
    body: str
    # The oldest publishers call a topic a plan.
    topic_id: Annotated[OneLine, BeforeValidator(_number_as_text), Field(min_length=1, max_length=256)] | None = Field(
        None, validation_alias=AliasChoices("topicId", "planId", "plan_id")
    )
    text: str | None = None
    from_email: MailAddress | None = None
    reply_to: MailAddresses = ()
    cc: MailAddresses = ()
    bcc: MailAddresses = ()
    headers: Annotated[
        dict[str, str], AfterValidator(_headers), Field(max_length=MAX_HEADERS - 1, default_factory=dict)
    ]
    attachments: tuple[Attachment, ...] = ()
    tags: Annotated[dict[str, str], AfterValidator(_tags), Field(max_length=48, default_factory=dict)]
    configuration_set: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    track_opens: bool | None = None
    scheduled_at: Time | None = None
    expires_at: Time | None = None
    list_unsubscribe: bool | OneLine | None = None

    @model_validator(mode="after")
    def _within_the_limits_of_ses(self) -> "EmailMessage":
        if self.recipients > MAX_RECIPIENTS:
            raise ValueError(f"email, cc and bcc: {self.recipients} recipients, SES takes at most {MAX_RECIPIENTS}")
        if self.list_unsubscribe and len(self.headers) > MAX_HEADERS - 3:
            raise ValueError(f"headers: with list_unsubscribe at most {MAX_HEADERS - 3}")
        if self.list_unsubscribe and _LIST_HEADERS & {name.lower() for name in self.headers}:
            raise ValueError("headers: List-Unsubscribe is given twice, as a header and as list_unsubscribe")
        if self.size > MAX_BYTES:
            raise ValueError(f"the mail has {self.size} bytes, SES takes at most {MAX_BYTES}")
        return self

    @property
    def recipients(self) -> int:
        """What SES counts towards rate and quota: to, cc and bcc."""
        return 1 + len(self.cc) + len(self.bcc)

    @property
    def size(self) -> int:
        """Bytes on the wire to SES at the least: attachments count as base64."""
        attached = sum(len(attachment.content) for attachment in self.attachments)
        return len(self.body.encode()) + len((self.text or "").encode()) + attached * 4 // 3

    @property
    def tag(self) -> str:
        """The uuid as SES's EmailTags can carry it, see `uuid_tag`."""
        return uuid_tag(self.uuid)

    @cached_property
    def all_recipients(self) -> tuple[Address, ...]:
        """To, cc and bcc, parsed."""
        return tuple(parse_address(text) for text in (self.email, *self.cc, *self.bcc))


def uuid_tag(uuid: str) -> str:
    """The uuid itself where SES's tag charset allows, else its hash; never ambiguous between the two."""
    if is_tag(uuid) and not uuid.startswith(_HASHED):
        return uuid
    return _HASHED + hashlib.sha256(uuid.encode()).hexdigest()


def is_tag(text: str) -> bool:
    """Whether it could be what `uuid_tag` made."""
    return _TAG.fullmatch(text) is not None


def decode(payload: bytes, zone: tzinfo = UTC) -> EmailMessage:
    """Read a map or array in MessagePack, in JSON, or in MessagePack as base64 text; naive times are of `zone`.

    Raises:
        UndecodableError: with the fault in plain words.
    """
    try:
        value = parse(payload)
    except ValueError as error:
        raise UndecodableError(str(error)) from None
    return from_value(value, zone)


def from_value(value: object, zone: tzinfo = UTC) -> EmailMessage:
    """Validate a decoded map or array (of MessagePack or JSON); naive times are of `zone`.

    Raises:
        UndecodableError: with the fault in plain words.
    """
    if isinstance(value, (list, tuple)):
        if len(value) != len(ARRAY_FIELDS):
            raise UndecodableError(f"an array of {len(value)} values; the array form is {list(ARRAY_FIELDS)}")
        value = dict(zip(ARRAY_FIELDS, value, strict=True))
    if not isinstance(value, dict):
        raise UndecodableError(f"a single {type(value).__name__}, neither map nor array")
    try:
        return EmailMessage.model_validate(_text_keys(value), context={"zone": zone})
    except ValidationError as error:
        raise UndecodableError("; ".join(faults(error))) from None


def faults(error: ValidationError) -> list[str]:
    """One line per problem, naming the field and never repeating its value."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {text}" if place else text)
    return lines


def _text_keys(value: Mapping[Any, Any]) -> dict[Any, Any]:
    if all(type(key) is str for key in value):
        return dict(value)
    try:
        return {key.decode() if isinstance(key, bytes) else key: item for key, item in value.items()}
    except UnicodeDecodeError:
        raise UndecodableError("a key is not UTF-8") from None


def encode(message: EmailMessage) -> bytes:
    """The map form, without what was not set."""
    packed: bytes = msgpack.packb(message.model_dump(exclude_unset=True), datetime=False, default=_as_text)
    return packed


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a message")
