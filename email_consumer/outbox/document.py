"""An event as publishers read it: one JSON document. docs/events.md describes it, docs/asyncapi.yaml is its schema."""

import time
from collections.abc import Iterable
from sqlite3 import Row
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from email_consumer.core.traceparent import trace_id
from email_consumer.message.address import normal_form
from email_consumer.message.times import rfc3339
from email_consumer.store.mail_state import known_state
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


class Pending(NamedTuple):
    """A row of `statements.PENDING`, in the order of its columns.

    The first ones are the outbox's, the others say what the tables know of the mail and of the recipient's result.
    """

    seq: int
    type: str
    at_micros: int
    """Unix time in microseconds: JSON of SQLite has fewer digits for other numbers."""
    uuid: str | None
    request_id: int | None
    result_id: int | None
    attempt: int | None
    message_id: str | None
    reason: str | None
    address: str | None
    scope: str | None
    status: int | None
    error: str | None
    in_doubt: int | None
    due_at: float | None
    results: str
    topic_id: str | None
    lane: str | None
    tenant: str | None
    email: str | None
    source: str | None
    recipient: str | None
    machine: int | None
    detail: str | None
    raw: str | None
    traceparent: str | None
    """Of the mail, if it belongs to a trace; see `core.traceparent`."""


def read_pending(rows: Iterable[Row]) -> list[Pending]:
    """What the query returned: one row with all of them, in order."""
    return [Pending(*values) for row in rows for values in sorted(orjson.loads(row[0]))]


def event_id(origin: str, row: Pending) -> str:
    """The same for the same row, however often it is published.

    After a database was restored from a backup, numbers are given to other events than before. So the id also depends on
    what happened, and when.
    """
    happened = f"{row.type} {row.at_micros} {row.uuid} {row.request_id} {row.result_id}"
    return f"{id_start(origin, row.seq)}{crc32(happened.encode()):08x}"


def document(row: Pending, origin: str) -> dict[str, Any]:
    """The event; what does not apply is absent."""
    found: dict[str, Any] = {
        "id": event_id(origin, row),
        "type": row.type,
        "at": rfc3339(row.at_micros / 1_000_000),
        "uuid": row.uuid and published_uuid(row.uuid),
        "state": _state(row),
        "topic_id": row.topic_id,
        "lane": row.lane,
        "tenant": row.tenant,
        "email": row.address or row.email,
        "recipients": [row.recipient] if row.recipient else None,
        "message_id": row.message_id,
        "attempt": row.attempt,
        "source": row.source,
        "reason": None if row.type in _WITHOUT_REASON else row.reason or row.detail or None,
        "bounce": _bounce(row) if row.type == "bounced" else None,
        "machine": bool(row.machine) if row.type in {"opened", "clicked"} else None,
        "unsubscribe_group": _group(row.scope),
        "hold": row.scope if row.type in _OF_HOLDS else None,
        "trace_id": row.traceparent and trace_id(row.traceparent),
        "seq": row.seq,
    }
    return {name: value for name, value in found.items() if value is not None}


def _state(row: Pending) -> str | None:
    if row.status is None:
        return None
    is_later = row.due_at is not None and row.due_at > time.time()
    return known_state(row.status, row.error, row.results, in_doubt=bool(row.in_doubt), is_later=is_later).state


def _bounce(row: Pending) -> dict[str, str]:
    """The bounce's type and subtype by SES, and what the recipient's server said."""
    kind, _, subtype = (row.detail or "").partition("/")
    found = {"type": kind, "subtype": subtype, "diagnostic": _diagnostic(row.raw, row.recipient)}
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
