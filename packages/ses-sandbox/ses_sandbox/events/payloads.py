"""SES events as JSON records, in the shape a configuration set's SNS destination publishes.

Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Container
from time import time
from typing import Any

from ses_sandbox.config import ACCOUNT_ID
from ses_sandbox.events.settings import EventType
from ses_sandbox.events.simulator import Fate, fate_of
from ses_sandbox.identifiers import ses_message_id
from ses_sandbox.mailbox import AcceptedMail
from ses_sandbox.ses.address import bare_address
from ses_sandbox.ses.send_request import SendRequest
from ses_sandbox.sns.envelope import timestamp

Record = dict[str, Any]

_SOURCE_IP = "127.0.0.1"
_MTA = "dsn; a8-70.smtp-out.amazonses.com"
_PROCESSING_MILLISECONDS = 5
_ON_SUPPRESSION_LIST = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your account."
)
_DELIVERED_FATES = (Fate.DELIVERED, Fate.COMPLAINED, Fate.OUT_OF_OFFICE)


def events_of(mail: AcceptedMail, region: str, suppressed: Container[str]) -> list[tuple[EventType, Record]]:
    """The events one accepted mail causes, in their natural order; recipients with the same fate share one."""
    common = _mail(mail, region)
    by_fate: dict[Fate, list[str]] = {}
    for address in mail.request.recipients:
        by_fate.setdefault(fate_of(address, suppressed), []).append(address)
    delivered = [address for fate in _DELIVERED_FATES for address in by_fate.get(fate, ())]
    at = timestamp(mail.received_at)
    events: list[tuple[EventType, Record]] = [("Send", {"eventType": "Send", "mail": common, "send": {}})]
    if delivered:
        delivery = _delivery(delivered, at)
        events.append(("Delivery", {"eventType": "Delivery", "mail": common, "delivery": delivery}))
    for fate, addresses in by_fate.items():
        if fate is Fate.COMPLAINED:
            complaint = _complaint(addresses, at)
            events.append(("Complaint", {"eventType": "Complaint", "mail": common, "complaint": complaint}))
        elif fate is not Fate.DELIVERED:
            bounce = _bounce(fate, addresses, at)
            events.append(("Bounce", {"eventType": "Bounce", "mail": common, "bounce": bounce}))
    return events


def _mail(mail: AcceptedMail, region: str) -> Record:
    request = mail.request
    sender = bare_address(request.sender)
    return {
        "timestamp": timestamp(mail.received_at),
        "source": request.sender,
        "sourceArn": f"arn:aws:ses:{region}:{ACCOUNT_ID}:identity/{sender}",
        "sendingAccountId": ACCOUNT_ID,
        "messageId": mail.message_id,
        "destination": request.recipients,
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in _headers(request)],
        "commonHeaders": {
            "from": [request.sender],
            **({"replyTo": request.reply_to} if request.reply_to else {}),
            **({"to": request.to} if request.to else {}),
            **({"cc": request.cc} if request.cc else {}),
            "messageId": mail.message_id,
            "subject": request.subject,
        },
        "tags": {
            "ses:operation": ["SendEmail"],
            **({"ses:configuration-set": [request.configuration_set]} if request.configuration_set else {}),
            "ses:source-ip": [_SOURCE_IP],
            "ses:from-domain": [sender.rpartition("@")[2]],
            "ses:caller-identity": ["sandbox"],
            **{name: [value] for name, value in request.tags.items()},
        },
    }


def _headers(request: SendRequest) -> list[tuple[str, str]]:
    fields = [("From", request.sender)]
    for name, addresses in (("Reply-To", request.reply_to), ("To", request.to), ("Cc", request.cc)):
        if addresses:
            fields.append((name, ", ".join(addresses)))
    fields += [("Subject", request.subject), ("MIME-Version", "1.0")]
    seen = {name for name, _ in fields}
    return fields + [(name, value) for name, value in request.headers.items() if name not in seen]


def _delivery(recipients: list[str], at: str) -> Record:
    return {
        "timestamp": at,
        "processingTimeMillis": _PROCESSING_MILLISECONDS,
        "recipients": recipients,
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": "a8-70.smtp-out.amazonses.com",
    }


def _complaint(recipients: list[str], at: str) -> Record:
    return {
        "complainedRecipients": [{"emailAddress": address} for address in recipients],
        "timestamp": at,
        "feedbackId": _feedback_id(),
        "complaintSubType": None,
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": at,
    }


def _bounce(fate: Fate, recipients: list[str], at: str) -> Record:
    record: Record = {"timestamp": at, "feedbackId": _feedback_id(), "reportingMTA": _MTA}
    if fate is Fate.OUT_OF_OFFICE:
        # No status: it comes from an automatic reply, not from a DSN.
        bounced = [{"emailAddress": address} for address in recipients]
        return record | {"bounceType": "Transient", "bounceSubType": "General", "bouncedRecipients": bounced}
    suppressed = fate is Fate.SUPPRESSED
    reason = _ON_SUPPRESSION_LIST if suppressed else "smtp; 550 5.1.1 user unknown"
    failed = {"action": "failed", "status": "5.1.1", "diagnosticCode": reason}
    return record | {
        "bounceType": "Permanent",
        "bounceSubType": "OnAccountSuppressionList" if suppressed else "General",
        "bouncedRecipients": [{"emailAddress": address, **failed} for address in recipients],
    }


def _feedback_id() -> str:
    return ses_message_id(time())
