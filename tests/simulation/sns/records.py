"""SES's events in its own JSON, as a configuration set's SNS destination gets them.

Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from tests.simulation.clock import EPOCH
from tests.simulation.ses.exchange import Accepted

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What every event tells about its mail."""

    message_id: str
    sent_at: float
    """True time."""
    recipients: tuple[str, ...]
    tags: Mapping[str, str]
    headers: Sequence[Mapping[str, str]] = ()
    source: str = "shop@example.com"
    subject: str = "Hi"

    @classmethod
    def of(cls, mail: Accepted) -> "MailFacts":
        simple = mail.request.document["Content"]["Simple"]
        return cls(
            mail.message_id,
            mail.at,
            mail.recipients,
            mail.request.tags,
            [{"name": each["Name"], "value": each["Value"]} for each in simple["Headers"]],
            mail.request.document["FromEmailAddress"],
            simple["Subject"]["Data"],
        )


def record(kind: str, mail: MailFacts, at: float, recipients: Sequence[str] | None = None) -> str:
    """One event at a true time, about all recipients of the mail unless they are named."""
    addresses = list(mail.recipients if recipients is None else recipients)
    name, own = _OWN[kind](addresses)
    if kind not in {"Send", "Reject"}:
        own["timestamp"] = timestamp(at)
    event_type = kind.partition(":")[0]
    return orjson.dumps({"eventType": event_type, "mail": _mail(mail), name: own}).decode()


def timestamp(at: float) -> str:
    """A true time as AWS writes it."""
    return datetime.fromtimestamp(EPOCH + at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _mail(mail: MailFacts) -> Json:
    return {
        "timestamp": timestamp(mail.sent_at),
        "source": mail.source,
        "sourceArn": f"arn:aws:ses:eu-west-1:000000000000:identity/{mail.source}",
        "sendingAccountId": "000000000000",
        "messageId": mail.message_id,
        "destination": list(mail.recipients),
        "headersTruncated": False,
        "headers": list(mail.headers),
        "commonHeaders": {"from": [mail.source], "messageId": mail.message_id, "subject": mail.subject},
        "tags": {
            "ses:operation": ["SendEmail"],
            "ses:source-ip": ["127.0.0.1"],
            **{name: [value] for name, value in mail.tags.items()},
        },
    }


def _bounce(kind: str, subtype: str, diagnostic: str, addresses: list[str]) -> tuple[str, Json]:
    recipients = [{"emailAddress": address, "action": "failed", "diagnosticCode": diagnostic} for address in addresses]
    return "bounce", {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": recipients, "feedbackId": "f"}


def _complaint(addresses: list[str]) -> tuple[str, Json]:
    recipients = [{"emailAddress": address} for address in addresses]
    return "complaint", {
        "complainedRecipients": recipients,
        "complaintFeedbackType": "abuse",
        "complaintSubType": None,
        "userAgent": "Amazon SES Mailbox Simulator",
        "feedbackId": "f",
    }


def _delay(addresses: list[str]) -> tuple[str, Json]:
    recipients = [{"emailAddress": address, "diagnosticCode": "smtp; 451 4.7.1 later"} for address in addresses]
    return "deliveryDelay", {"delayType": "MailboxFull", "delayedRecipients": recipients}


def _delivery(addresses: list[str]) -> tuple[str, Json]:
    return "delivery", {
        "recipients": addresses,
        "smtpResponse": "250 2.6.0 Message received",
        "processingTimeMillis": 5,
        "reportingMTA": "a8-70.smtp-out.amazonses.com",
    }


_OWN: dict[str, Callable[[list[str]], tuple[str, Json]]] = {
    "Send": lambda _: ("send", {}),
    "Reject": lambda _: ("reject", {"reason": "Bad content"}),
    "Delivery": _delivery,
    "DeliveryDelay": _delay,
    "Bounce": lambda addresses: _bounce("Permanent", "General", "smtp; 550 5.1.1 user unknown", addresses),
    "Bounce:soft": lambda addresses: _bounce("Transient", "MailboxFull", "smtp; 452 4.2.2 full", addresses),
    "Complaint": _complaint,
    "Open": lambda _: ("open", {"ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0"}),
    "Click": lambda _: ("click", {"ipAddress": "192.0.2.1", "link": "https://example.com/", "userAgent": "Mozilla"}),
}
"""By kind: the name of its own object and what is in it."""
KINDS = frozenset(_OWN)
