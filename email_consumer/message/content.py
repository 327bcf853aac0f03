"""The content of a mail: what it says, and what it shares with all mails that say the same."""

from typing import ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from email_consumer.message.address import normal_form
from email_consumer.message.fields import (
    MAX_BYTES,
    MAX_HEADERS,
    MAX_RECIPIENTS,
    Attachments,
    ConfigurationSet,
    Headers,
    LaneName,
    ListUnsubscribe,
    MailAddress,
    MailAddresses,
    OneLine,
    Tags,
    Tenant,
    UnsubscribeGroup,
)
from email_consumer.message.fingerprint import short_hash
from email_consumer.message.keys import FromOutside
from email_consumer.message.lane import Lane
from email_consumer.message.send_window import Window, Zone

_HASHED_APART = frozenset({"subject", "body", "text", "cc", "bcc", "lane", "send_window", "timezone"})
"""Hashed as plain text, or with the recipients; or not part of what is sent."""
_LIST_HEADERS = frozenset({"list-unsubscribe", "list-unsubscribe-post"})


class Content(FromOutside):
    """Everything that SES gets but the recipient; many mails may share it, and `email_contents` stores it once."""

    MAY_BE_EMPTY: ClassVar = frozenset({"body"})

    subject: OneLine
    """The subject line."""
    body: str = ""
    """The HTML, which reaches SES unchanged to the byte (unless opens are tracked, or it has `{{unsubscribe_url}}`). May be left out where `text` is given."""
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
    """In place of what `TRACK_OPENS` says, unless that is `off`, and of what SES tracks by the configuration set."""
    track_clicks: bool | None = None
    """Whether SES tracks clicks, in place of what the configuration set says."""
    list_unsubscribe: ListUnsubscribe = None
    """True: an unsubscribe link of ours, as a header and for one click. A text: your own links. In `body` and `text`, our link replaces `{{unsubscribe_url}}`."""
    unsubscribe_group: UnsubscribeGroup | None = None
    """The kind of bulk mail that our unsubscribe link offers to leave, such as a newsletter. Without it: all bulk mail."""
    lane: LaneName | None = None
    """`transactional`: mail that somebody waits for, which an unsubscribe does not stop. `bulk`: all other mail. Without it, the subject or queue that it came through decides; over HTTP, `bulk`."""
    tenant: Tenant | None = None
    """The tenant of SES that the mail is sent for: its reputation is counted separately, and a pause of it stops nobody else's mail."""
    send_window: Window | None = None
    """When the mail may be sent, by the local clock; outside, it waits for the next opening. Of bulk mail, in place of what `BULK_SEND_WINDOW` says."""
    timezone: Zone | None = None
    """The recipient's time zone, in which its window counts."""

    @field_validator("cc", "bcc")
    @classmethod
    def _each_address_once(cls, copies: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Who is named twice gets one mail, in cc rather than in bcc."""
        named = {normal_form(address) for address in info.data.get("cc", ())}
        kept = []
        for copy in copies:
            if (address := normal_form(copy)) not in named:
                named.add(address)
                kept.append(copy)
        return tuple(kept)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if "body" not in self.model_fields_set and not self.text:
            raise ValueError("body: is missing, and so is text; a mail has one of them or both")
        return self

    @model_validator(mode="after")
    def _within_the_limits_of_ses(self) -> Self:
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
        """What SES counts towards rate and quota for each mail: to, cc and bcc."""
        return 1 + len(self.cc) + len(self.bcc)

    @property
    def is_bulk(self) -> bool:
        return self.lane is not Lane.TRANSACTIONAL

    @property
    def lane_name(self) -> str:
        """The lane as rows and records name it."""
        return "bulk" if self.lane is not Lane.TRANSACTIONAL else "transactional"

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
    def content_hash(self) -> int:
        """The second half of a `Fingerprint`."""
        content = f"{self.subject}\0{self.text or ''}\0{self.body}"
        if further := self.model_fields_set & _HASHED_AS_JSON:
            content += self.model_dump_json(include=further, exclude_defaults=True).removeprefix("{}")
        return short_hash(content)


_HASHED_AS_JSON = Content.model_fields.keys() - _HASHED_APART
