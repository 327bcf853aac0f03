"""Events in the form in which Resend posts them, for endpoints that ask for it: its names, and its fields.

Source: the types that its SDK for Python declares (`resend.webhooks`).
"""

from collections.abc import Mapping
from sqlite3 import Row
from typing import Any

import orjson

from email_consumer.message.times import rfc3339

NAMES = {
    "scheduled": "email.scheduled",
    "sent": "email.sent",
    "delivered": "email.delivered",
    "delayed": "email.delivery_delayed",
    "bounced": "email.bounced",
    "complained": "email.complained",
    "opened": "email.opened",
    "clicked": "email.clicked",
    "failed": "email.failed",
    "stopped": "email.suppressed",
}
"""By our types. Resend has no names for the others, nor for a mail that was cancelled."""
_CANCELLED = "cancelled"
_CLICK = ("ipAddress", "link", "timestamp", "userAgent")


def resend_event(event: Mapping[str, Any], mail: Row | None, raw: str | None, sender: str) -> dict[str, Any] | None:
    """The event as Resend would post it; None if Resend knows no such event.

    Args:
        event: as in docs/events.md.
        mail: a row of `statements.MAILS`, if the mail is known.
        raw: SES's own JSON of the event.
        sender: of mail that names none.
    """
    name = NAMES.get(event["type"])
    if name is None or mail is None or _cancelled(event):
        return None
    content = orjson.loads(mail["extra"] or "{}")
    data = {
        "created_at": rfc3339(mail["created_at"]),
        "email_id": event["uuid"],
        "message_id": event.get("message_id", ""),
        "from": (content.get("from_email") or sender) if mail["kept"] else "",
        "to": event.get("recipients") or [event["email"]],
        "subject": mail["subject"] or "",
        "tags": content.get("tags") or {},
    }
    return {"type": name, "created_at": event["at"], "data": data | _more(event, raw)}


def _cancelled(event: Mapping[str, Any]) -> bool:
    return event["type"] == "stopped" and str(event.get("reason", "")).startswith(_CANCELLED)


def _more(event: Mapping[str, Any], raw: str | None) -> dict[str, Any]:
    """What an event of this type has besides."""
    reason = event.get("reason", "")
    match event["type"]:
        case "bounced":
            return {"bounce": _bounce(event.get("bounce", {}), reason)}
        case "clicked":
            return {"click": _click(raw)}
        case "failed":
            return {"failed": {"reason": reason}}
        case "stopped":
            return {"suppressed": {"type": reason.partition(":")[0], "message": reason}}
    return {}


def _bounce(found: Mapping[str, str], reason: str) -> dict[str, str]:
    diagnostic = found.get("diagnostic", "")
    bounce = {
        "type": found.get("type", "Undetermined"),
        "subType": found.get("subtype", "Undetermined"),
        "message": diagnostic or reason,
    }
    return bounce | ({"diagnosticCode": diagnostic} if diagnostic else {})


def _click(raw: str | None) -> dict[str, str]:
    """From SES's own JSON, any of whose fields may be missing or of another type. IP addresses are not kept."""
    try:
        click = orjson.loads(raw or "{}")["click"]
        return {name: str(click.get(name) or "") for name in _CLICK}
    except (ValueError, KeyError, TypeError, AttributeError):
        return dict.fromkeys(_CLICK, "")
