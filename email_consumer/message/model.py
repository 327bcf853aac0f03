"""The message on the wire: decoded from MessagePack or JSON, validated, encoded again."""

import hashlib
from datetime import datetime
from functools import cached_property
from typing import ClassVar

import msgpack
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from email_consumer.message.address import Address, normal_form, parse_address
from email_consumer.message.fields import (
    MAX_BYTES,
    MAX_HEADERS,
    MAX_RECIPIENTS,
    Attachments,
    ConfigurationSet,
    Headers,
    Key,
    ListUnsubscribe,
    MailAddress,
    MailAddresses,
    OneLine,
    Tags,
    Time,
    Topic,
    is_tag,
)
from email_consumer.message.fingerprint import Fingerprint, content_hash, recipients_hash
from email_consumer.message.keys import FromOutside, Reading
from email_consumer.message.problems import problems
from email_consumer.message.wire_format import parse

ARRAY_FIELDS = ("uuid", "email", "subject", "body")
"""The order of the array form, as Rust's `rmp_serde::to_vec` writes it."""

NOT_BUILT = frozenset({"lane", "unsubscribe_group", "tenant", "send_window", "timezone", "track_clicks"})
"""Keys that are agreed upon and that this version can't act on yet."""

_NO_FURTHER_CONTENT = frozenset(
    {"uuid", "email", "cc", "bcc", "topic_id", "scheduled_at", "expires_at", "subject", "body", "text"}
)
_LIST_HEADERS = frozenset({"list-unsubscribe", "list-unsubscribe-post"})
_HASHED = "sha256-"


class UndecodableError(Exception):
    """Poison: the payload is no message, or not a valid one. The text names the fault and is safe to log."""


class EmailMessage(FromOutside):
    """One mail. `uuid` is the idempotency key, `body` is HTML and reaches SES unchanged to the byte.

    A mail with `text` needs no `body`: it then goes out as text alone.
    """

    OTHER_NAMES: ClassVar = {"plan_id": "topic_id"}  # the oldest publishers call a topic a plan
    NOT_BUILT: ClassVar = NOT_BUILT
    MAY_BE_EMPTY: ClassVar = frozenset({"body"})

    uuid: Key
    """The idempotency key, one per mail: whatever comes again under it is not sent again."""
    email: MailAddress
    """The recipient."""
    subject: OneLine
    """The subject line."""
    body: str = ""
    """The HTML, which reaches SES unchanged to the byte (unless opens are tracked). May be left out where `text` is given."""
    topic_id: Topic | None = None
    """What the mail belongs to, such as a campaign: counted and cancelled together."""
    text: str | None = None
    """The plain-text alternative, or the whole mail where there is no `body`."""
    from_email: MailAddress | None = None
    """The sender, in place of `FROM_EMAIL`."""
    reply_to: MailAddresses = ()
    """Where replies go."""
    cc: MailAddresses = ()
    """Further recipients, visible to all."""
    bcc: MailAddresses = ()
    """Further recipients, visible to nobody."""
    headers: Headers = Field(default_factory=dict)
    """Further headers."""
    attachments: Attachments = ()
    """Files, see below."""
    tags: Tags = Field(default_factory=dict)
    """Come back with SES's events."""
    configuration_set: ConfigurationSet | None = None
    """In place of `CONFIGURATION_SET`."""
    track_opens: bool | None = None
    """In place of what `TRACK_OPENS` says."""
    scheduled_at: Time = None
    """Not before this moment."""
    expires_at: Time = None
    """Not after this moment: the mail is then stopped. Later than `scheduled_at`."""
    list_unsubscribe: ListUnsubscribe = None
    """True: an unsubscribe link of ours, as a header and for one click. A text: your own links."""

    @field_validator("cc", "bcc")
    @classmethod
    def _each_address_once(cls, copies: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Who is named twice gets one mail: as its recipient rather than in cc, and in cc rather than in bcc."""
        before = [info.data[name] for name in ("email",) if name in info.data] + [*info.data.get("cc", ())]
        named = {normal_form(address) for address in before}
        kept = []
        for copy in copies:
            if (address := normal_form(copy)) not in named:
                named.add(address)
                kept.append(copy)
        return tuple(kept)

    @model_validator(mode="after")
    def _says_something(self) -> "EmailMessage":
        if "body" not in self.model_fields_set and not self.text:
            raise ValueError("body: is missing, and so is text; a mail has one of them or both")
        return self

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

    @model_validator(mode="after")
    def _not_expired_before_it_is_due(self) -> "EmailMessage":
        if self.scheduled_at and self.expires_at and self.expires_at <= self.scheduled_at:
            raise ValueError("expires_at is not after scheduled_at: the mail could never be sent")
        return self

    @property
    def recipients(self) -> int:
        """What SES counts towards rate and quota: to, cc and bcc."""
        return 1 + len(self.cc) + len(self.bcc)

    @property
    def text_only(self) -> bool:
        """It goes out without an HTML part: an empty one would hide the text."""
        return not self.body and bool(self.text)

    @property
    def size(self) -> int:
        """Bytes on the wire to SES at the least: attachments count as base64."""
        attached = sum(len(attachment.content) for attachment in self.attachments)
        return len(self.body.encode()) + len((self.text or "").encode()) + attached * 4 // 3

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
        content = f"{self.subject}\0{self.text or ''}\0{self.body}"
        if further := self.model_fields_set - _NO_FURTHER_CONTENT:
            content += self.model_dump_json(include=further, exclude_defaults=True).removeprefix("{}")
        return Fingerprint(recipients_hash(self.email, self.cc + self.bcc), content_hash(content))


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
    try:
        value = parse(payload)
    except ValueError as error:
        raise UndecodableError(str(error)) from None
    return from_value(value, reading)


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
    packed: bytes = msgpack.packb(message.model_dump(exclude_unset=True), datetime=False, default=_as_text)
    return packed


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a message")
