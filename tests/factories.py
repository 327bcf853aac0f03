"""What many tests need, made with defaults that a test overrides only where they matter to it."""

import json
import time
from collections.abc import Mapping
from typing import Any

from email_consumer.core.ledger import Origin
from email_consumer.message.content import Content
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, content_from, encode, from_value

ORIGIN = Origin("nats", "messages:1", 1, 0.0)
STARTED = 1_700_000_000.0
"""Unix seconds at which the mail of `event` was sent, by SES's clock; events happen some seconds later."""


def mail(uuid: str = "u-1", **fields: object) -> EmailMessage:
    """A valid message, validated as one from outside is."""
    return from_value({"uuid": uuid, "email": "a@example.com", "subject": "s", "body": "b"} | fields)


def payload(uuid: str = "u-1", **fields: object) -> bytes:
    """A message as its publisher sends it."""
    return encode(mail(uuid, **fields))


def content(body: str = "b", **fields: object) -> Content:
    """A content that mails may share."""
    return content_from({"subject": "s", "body": body} | fields)


def new_message(*emails: str, **fields: object) -> dict[str, object]:
    """One of the `messages` of `POST /v1/messages`."""
    return {"emails": list(emails) or ["a@example.com"], "subject": "s", "content": "<p>b</p>"} | fields


def event(kind: str, uuid: str | None = "u-1", *, message_id: str = "ses-1", at: float = 1.0, **more: Any) -> str:
    """One of SES's JSON records; `at` in seconds after `STARTED`. `more` goes into the kind's own object."""
    to = more.pop("to", ["jane@example.com"])
    tags = {"uuid": [uuid], "instance": [more.pop("instance", "test")]} if uuid else {}
    own: dict[str, Any] = {"timestamp": _iso(STARTED + at)}
    match kind:
        case "Bounce":
            own |= {"bounceType": "Permanent", "bounceSubType": "General"}
            own["bouncedRecipients"] = [{"emailAddress": address} for address in to]
        case "Complaint":
            own["complainedRecipients"] = [{"emailAddress": address} for address in to]
        case "Delivery":
            own["recipients"] = to
    common = {"messageId": message_id, "timestamp": _iso(STARTED), "destination": to, "tags": tags}
    return json.dumps({"eventType": kind, "mail": common, kind.lower(): own | more})


class FakeDelivery:
    """A delivery that records the calls it gets; see `email_consumer.core.delivery.Delivery`."""

    def __init__(
        self,
        payload: bytes = b"",
        source: str = "nats",
        headers: Mapping[str, str] | None = None,
        *,
        sequence: int = 1,
        received: int = 1,
    ) -> None:
        self.payload = payload
        self.source = source
        self.headers = headers or {}
        self.reference = f"messages:{sequence}"
        self.stream = ""
        self.sequence = sequence
        self.received = received
        self.stored_at = 0.0
        self.lane = Lane.BULK
        self.calls: list[str] = []

    async def ack(self) -> None:
        self.calls.append("ack")

    async def nak(self, delay: float) -> None:
        self.calls.append(f"nak {delay:g}")

    async def term(self) -> None:
        self.calls.append("term")

    async def in_progress(self) -> None:
        self.calls.append("in progress")


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{round(moment % 1 * 1000):03d}Z"
