"""One model for both formats of SES events.

SES has two formats: events of a configuration set (`eventType`) and an identity's feedback notifications
(`notificationType`). Source:
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_GAVE_UP = re.compile(r"(?<![\d.])4\.4\.7(?![\d.])")


class Kind(StrEnum):
    """SES's own names. Each proves that SES accepted the mail."""

    SEND = "Send"
    """Accepted; delivery will be attempted."""
    DELIVERY = "Delivery"
    """The recipient's server accepted it."""
    BOUNCE = "Bounce"
    """It was returned: a hard bounce (Permanent), or after attempts over hours (Transient)."""
    COMPLAINT = "Complaint"
    """The recipient reported it as spam."""
    REJECT = "Reject"
    """Accepted, then found to contain malware, and not delivered."""
    OPEN = "Open"
    CLICK = "Click"
    RENDERING_FAILURE = "Rendering Failure"
    DELIVERY_DELAY = "DeliveryDelay"
    SUBSCRIPTION = "Subscription"
    """The recipient changed preferences in SES's own contact list."""


@dataclass(frozen=True, slots=True)
class RecipientResult:
    """What an event reports about one recipient."""

    recipient: str
    """The address in normal form."""
    type: str = ""
    """Bounce: Permanent, Transient, Undetermined. Complaint: abuse, not-spam, …; may be empty. Reject: the reason.
    Rendering Failure: the template. DeliveryDelay: its delayType. Click: the link. Subscription: how it was requested."""
    subtype: str = ""
    """Bounce: General, NoEmail, MailboxFull, OnAccountSuppressionList, …. Complaint: OnAccountSuppressionList or empty."""
    diagnostic: str = ""
    """The response of the recipient's server, if SES reports it."""

    @property
    def is_bad_address(self) -> bool:
        """Of a bounce, whether the address is bad. 4.4.7 is not: SES gave up after hours, or after its MaxDeliverySeconds."""
        return self.type == "Permanent" and _GAVE_UP.search(self.diagnostic) is None

    @property
    def detail(self) -> str:
        """Type and subtype as one text, such as `Permanent/General`."""
        return f"{self.type}/{self.subtype}" if self.subtype else self.type


@dataclass(frozen=True, slots=True)
class Event:
    """One event about one mail and some of its recipients."""

    kind: Kind | str
    """A str is an unknown event type, new at SES: what it means is not known."""
    message_id: str
    """SES's id of the mail; empty if missing."""
    tag: str | None
    """Our `uuid` tag or the equivalent X-Request-ID header; None in other mail."""
    instance: str | None
    """Our `instance` tag; None without tags (identity notifications)."""
    happened_at: float
    """Unix seconds, by SES's clock."""
    accepted_at: float
    """When SES accepted the mail. Unix seconds, by SES's clock."""
    recipients: tuple[RecipientResult, ...]
    """Empty if SES names no recipient, or several without saying which one opened or clicked."""
    machine: bool
    """SES reports that a program opened or clicked."""
    raw: str
    """SES's JSON, cleaned as `document` describes."""

    @property
    def proves_acceptance(self) -> bool:
        """Whether the event proves that SES accepted the mail."""
        return isinstance(self.kind, Kind)


@dataclass(frozen=True, slots=True)
class ValidationMessage:
    """What SES or SNS sends when the topic is set up. No action needed."""

    text: str
