"""One vocabulary for what SES tells about a mail, whichever way it is told.

SES has two shapes: events of a configuration set (`eventType`) and an identity's feedback notifications
(`notificationType`). Source:
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """SES's own names. Each is proof that SES accepted the mail."""

    SEND = "Send"
    """Accepted; delivery will be tried."""
    DELIVERY = "Delivery"
    """The recipient's server took it."""
    BOUNCE = "Bounce"
    """It came back: for good (Permanent), or after tries over hours (Transient)."""
    COMPLAINT = "Complaint"
    """The recipient called it spam."""
    REJECT = "Reject"
    """Accepted, then found to carry malware, and not delivered."""
    OPEN = "Open"
    CLICK = "Click"
    RENDERING_FAILURE = "Rendering Failure"
    DELIVERY_DELAY = "DeliveryDelay"
    SUBSCRIPTION = "Subscription"
    """The recipient changed preferences in SES's own contact list."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What an event says of one recipient."""

    recipient: str
    """The address in normal form."""
    type: str = ""
    """Bounce: Permanent, Transient, Undetermined. Complaint: abuse, not-spam, …; may be empty. Reject: the reason.
    Rendering Failure: the template. DeliveryDelay: its delayType. Click: the link. Subscription: how it was asked for."""
    subtype: str = ""
    """Bounce: General, NoEmail, MailboxFull, OnAccountSuppressionList, …. Complaint: OnAccountSuppressionList or empty."""
    diagnostic: str = ""
    """What the recipient's server said, where SES knows."""

    @property
    def detail(self) -> str:
        """Type and subtype as one text, such as `Permanent/General`."""
        return f"{self.type}/{self.subtype}" if self.subtype else self.type


@dataclass(frozen=True, slots=True)
class Event:
    """One event about one mail, perhaps several of its recipients."""

    kind: Kind | str
    """A name that is none of `Kind` is new at SES: what it says of a mail isn't known."""
    message_id: str
    """SES's id of the mail; empty where the event lacks it."""
    tag: str | None
    """Our `uuid` tag, or else the X-Request-ID header, which says the same; None in mail that isn't ours."""
    instance: str | None
    """Our `instance` tag; None where SES sends no tags (identity notifications)."""
    happened_at: float
    """Unix seconds, by SES's clock."""
    facts: tuple[Fact, ...]
    """Empty where SES names no recipient, or several of whom it can't tell which one opened or clicked."""
    machine: bool
    """SES says that a program opened or clicked."""
    raw: str
    """The JSON as SES sent it, without IP addresses and without what can't be kept; see `document`."""

    @property
    def proves(self) -> bool:
        """SES accepted the mail."""
        return isinstance(self.kind, Kind)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What SES or SNS sends when somebody sets the topic up. Nothing to do."""

    text: str
