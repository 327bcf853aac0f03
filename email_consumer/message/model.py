"""The message on the wire: decoded from MessagePack or JSON, validated, encoded again."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import ClassVar, Self

import msgpack
from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from email_consumer.message.address import Address, normal_form, parse_address
from email_consumer.message.content import Content
from email_consumer.message.fields import Key, MailAddress, Time, Topic, is_tag
from email_consumer.message.fingerprint import Fingerprint, recipients_hash
from email_consumer.message.keys import FromOutside, Reading
from email_consumer.message.plain_mail import read_plain_mail
from email_consumer.message.problems import problems
from email_consumer.message.wire_format import parse

ARRAY_FIELDS = ("uuid", "email", "subject", "body")
"""The order of the array form, as Rust's `rmp_serde::to_vec` writes it."""

_HASHED = "sha256-"


class UndecodableError(Exception):
    """Poison: the payload is no message, or not a valid one. The text names the fault and is safe to log."""


class Addressed(FromOutside):
    """What a mail has besides its content: which mail it is, for whom, and when it goes out."""

    OTHER_NAMES: ClassVar = {"plan_id": "topic_id"}  # the oldest publishers call a topic a plan

    uuid: Key
    """The idempotency key, one per mail: whatever comes again under it within `IDEMPOTENCY_TTL` is not sent again."""
    email: MailAddress
    """The recipient."""
    topic_id: Topic | None = None
    """What the mail belongs to, such as a campaign: counted and cancelled together."""
    scheduled_at: Time = None
    """Not before this moment."""
    expires_at: Time = None
    """Not after this moment: the mail is then stopped. Later than `scheduled_at`."""


class EmailMessage(Content, Addressed):  # the fields of `Addressed` come first: where `cc` is read, `email` is known
    """One mail. `uuid` is the idempotency key, `body` is HTML and reaches SES unchanged to the byte.

    A mail with `text` needs no `body`: it then goes out as text alone.
    """

    @field_validator("cc", "bcc")
    @classmethod
    def _without_its_recipient(cls, copies: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """A copy to the recipient would be a second mail to the same address."""
        if not copies or "email" not in info.data:
            return copies
        recipient = normal_form(info.data["email"])
        return tuple(copy for copy in copies if normal_form(copy) != recipient)

    @model_validator(mode="after")
    def _not_expired_before_it_is_due(self) -> Self:
        if self.scheduled_at and self.expires_at and self.expires_at <= self.scheduled_at:
            raise ValueError("expires_at is not after scheduled_at: the mail could never be sent")
        return self

    @property
    def tag(self) -> str:
        """The uuid as SES's EmailTags can carry it, see `uuid_tag`."""
        return uuid_tag(self.uuid)

    @property
    def all_recipients(self) -> tuple[Address, ...]:
        """To, cc and bcc, parsed."""
        return tuple(parse_address(text) for text in (self.email, *self.cc, *self.bcc))

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What tells it apart from another mail of the same uuid. Of the mail as it was published, also in copies of it."""
        return Fingerprint(recipients_hash(self.email, self.cc + self.bcc), self.content_hash)


_NOT_GIVEN = {name: field.default for name, field in EmailMessage.model_fields.items()}


def uuid_tag(uuid: str) -> str:
    """The uuid itself where SES's tag charset allows, else its hash; never ambiguous between the two."""
    if is_tag(uuid) and not uuid.startswith(_HASHED):
        return uuid
    return _HASHED + hashlib.sha256(uuid.encode()).hexdigest()


def decode(payload: bytes, reading: Reading | None = None) -> EmailMessage:
    """Read a map or array in MessagePack, in JSON, or in MessagePack as base64 text.

    Raises:
        UndecodableError: with the fault in plain words.
    """
    if plain := read_plain_mail(payload):
        return _of_valid(plain)
    try:
        value = parse(payload)
    except ValueError as error:
        raise UndecodableError(str(error)) from None
    return from_value(value, reading)


def _of_valid(fields: dict[str, str]) -> EmailMessage:
    """What validation would make of them; `model_construct` does the same for ten times the cost."""
    message = EmailMessage.__new__(EmailMessage)
    attributes = {**_NOT_GIVEN, "headers": {}, "tags": {}, **fields}
    for name, value in (
        ("__dict__", attributes),
        ("__pydantic_fields_set__", set(fields)),
        ("__pydantic_extra__", None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(message, name, value)  # the model is frozen
    return message


def from_value(value: object, reading: Reading | None = None) -> EmailMessage:
    """Validate a decoded map or array (of MessagePack or JSON).

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
        return EmailMessage.model_validate(value, context=reading or Reading())
    except ValidationError as error:
        raise UndecodableError("; ".join(problems(error))) from None


def content_from(fields: Mapping[str, object]) -> Content:
    """Validate a stored content.

    Raises:
        UndecodableError: with the fault in plain words.
    """
    try:
        return Content.model_validate(fields, context=Reading())
    except ValidationError as error:
        raise UndecodableError("; ".join(problems(error))) from None


def with_uuid(payload: bytes, uuid: str) -> bytes:
    """A valid message under another uuid, as MessagePack; all the rest stays as its publisher wrote it.

    Raises:
        UndecodableError: it is no message, or not a valid one.
    """
    decode(payload)
    value = parse(payload)
    if isinstance(value, list):
        value = [uuid, *value[1:]]
    elif isinstance(value, dict):
        value = {key: item for key, item in value.items() if key not in {"uuid", b"uuid"}} | {"uuid": uuid}
    packed: bytes = msgpack.packb(value, datetime=True)
    return packed


def encode(message: EmailMessage) -> bytes:
    """The map form, without what was not set."""
    return _packed(message.model_dump(exclude_unset=True))


def encode_mail(content: Content, own: Mapping[str, object]) -> bytes:
    """The map form of the mail with this content and `own`, valid fields of `Addressed`."""
    return _packed({**own, **content.model_dump(exclude_unset=True)})


def _packed(fields: Mapping[str, object]) -> bytes:
    packed: bytes = msgpack.packb(fields, datetime=False, default=_as_text)
    return packed


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a message")
