"""An event as publishers read it: one JSON document. docs/events.md describes it, docs/asyncapi.yaml is its schema."""

import time
from hashlib import blake2b
from sqlite3 import Row
from typing import Any

import orjson

from email_consumer.message.address import normal_form
from email_consumer.message.times import rfc3339
from email_consumer.store.mail_state import read_state
from email_consumer.store.retired import published_uuid

TYPES = (
    "scheduled",
    "sent",
    "delivered",
    "delayed",
    "bounced",
    "complained",
    "opened",
    "clicked",
    "unsubscribed",
    "failed",
    "stopped",
    "in_doubt",
    "conflict",
    "held",
    "resumed",
)
_WITHOUT_REASON = ("sent", "scheduled")
_OF_HOLDS = ("held", "resumed")
"""Not about a mail: the scope is the key of the hold."""
_GROUP = "bulk:"
"""Start of the scope of an unsubscribe group."""
_LONGEST_DIAGNOSTIC = 1_000
"""Characters; what the recipient's server wrote may be of any length."""


def id_start(origin: str, seq: int) -> str:
    """What the id of an event with that number begins with. `origin` identifies the database."""
    return f"evt_{origin[:16]}{seq:012d}"


def event_id(origin: str, row: Row) -> str:
    """The same for the same row, however often it is published.

    After a database was restored from a backup, numbers are given to other events than before. So the id also depends on
    what happened, and when.
    """
    happened = (row["type"], row["at"], row["uuid"], row["request_id"], row["result_id"])
    return id_start(origin, row["seq"]) + blake2b(repr(happened).encode(), digest_size=5).hexdigest()


def document(row: Row, origin: str) -> dict[str, Any]:
    """The event of a row of `statements.PENDING`; what does not apply is absent."""
    kind, recipient = row["type"], row["recipient"]
    found: dict[str, Any] = {
        "id": event_id(origin, row),
        "type": kind,
        "at": rfc3339(row["at"]),
        "uuid": row["uuid"] and published_uuid(row["uuid"]),
        "state": None if row["status"] is None else read_state(row, time.time()).state,
        "topic_id": row["topic_id"],
        "lane": row["lane"],
        "tenant": row["tenant"],
        "email": row["address"] or row["email"],
        "recipients": [recipient] if recipient else None,
        "message_id": row["message_id"],
        "attempt": row["attempt"],
        "source": row["source"],
        "reason": _reason(row),
        "bounce": _bounce(row) if kind == "bounced" else None,
        "machine": bool(row["machine"]) if kind in {"opened", "clicked"} else None,
        "unsubscribe_group": _group(row["scope"]),
        "hold": row["scope"] if kind in _OF_HOLDS else None,
        "seq": row["seq"],
    }
    return {name: value for name, value in found.items() if value is not None}


def _reason(row: Row) -> str | None:
    if row["type"] in _WITHOUT_REASON:
        return None
    return row["reason"] or row["detail"] or None


def _bounce(row: Row) -> dict[str, str]:
    """The bounce's type and subtype by SES, and what the recipient's server said."""
    kind, _, subtype = (row["detail"] or "").partition("/")
    found = {"type": kind, "subtype": subtype, "diagnostic": _diagnostic(row["raw"], row["recipient"])}
    return {name: text for name, text in found.items() if text}


def _diagnostic(raw: str | None, recipient: str | None) -> str:
    """From SES's own JSON, any of whose fields may be missing or of another type."""
    try:
        for each in orjson.loads(raw or "{}")["bounce"]["bouncedRecipients"]:
            if normal_form(each["emailAddress"]) == recipient:
                return str(each.get("diagnosticCode") or "")[:_LONGEST_DIAGNOSTIC]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return ""


def _group(scope: str | None) -> str | None:
    return scope.removeprefix(_GROUP) if scope and scope.startswith(_GROUP) else None
