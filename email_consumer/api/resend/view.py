"""A mail as Resend's API shows it."""

import sqlite3
import time
from typing import Any

from email_consumer.message.times import rfc3339
from email_consumer.store.contents import content_fields
from email_consumer.store.mail_state import MailState, read_state

_EVENTS = {
    MailState.QUEUED: "queued",
    MailState.SENDING: "queued",
    MailState.IN_DOUBT: "queued",
    MailState.SCHEDULED: "scheduled",
    MailState.SENT: "sent",
    MailState.DELIVERED: "delivered",
    MailState.DELAYED: "delivery_delayed",
    MailState.BOUNCED: "bounced",
    MailState.COMPLAINED: "complained",
    MailState.FAILED: "failed",
}


def content_of(row: sqlite3.Row) -> dict[str, Any]:
    """The fields of the mail's content; none once it is deleted."""
    if row["whole_subject"] is None:
        return {}
    return content_fields(row["whole_subject"], row["content"], row["extra"])


def shown(row: sqlite3.Row, default_sender: str) -> dict[str, Any]:
    """The answer of `GET /emails/{id}`."""
    content, known = content_of(row), read_state(row, time.time())
    stopped = "canceled" if (row["error"] or "").startswith("cancelled") else "suppressed"
    return {
        "object": "email",
        "id": row["uuid"],
        "to": [row["email"]],
        "from": content.get("from_email") or default_sender,
        "created_at": rfc3339(row["created_at"]),
        "subject": content.get("subject", row["subject"]),
        "html": content.get("body") or None,
        "text": content.get("text"),
        "bcc": content.get("bcc") or [],
        "cc": content.get("cc") or [],
        "reply_to": content.get("reply_to") or [],
        "last_event": _EVENTS.get(known.state, stopped),
        "scheduled_at": rfc3339(row["scheduled_at"]) if row["scheduled_at"] else None,
        "tags": [{"name": name, "value": value} for name, value in (content.get("tags") or {}).items()],
    }
