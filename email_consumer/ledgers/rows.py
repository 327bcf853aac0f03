"""Values of a mail's row in `email_requests`, in the form in which the statements take them."""

from collections.abc import Iterable, Sequence

import aiosqlite
import orjson

from email_consumer.core.ledger import WINDOW, Origin
from email_consumer.core.outcome import LeftOut, Stopped
from email_consumer.ledgers import statements
from email_consumer.ledgers.row_changes import ClaimRequest, FinishRequest, ScheduleRequest, row_change
from email_consumer.message.model import EmailMessage
from email_consumer.store.contents import keep_content, row_subject


def new_row(message: EmailMessage, origin: Origin, now: float, *, keep_subject: bool) -> dict[str, object]:
    """Everything that follows from the mail itself; `now` in Unix seconds."""
    return {
        "uuid": message.uuid,
        "tag": _tag(message),
        "topic_id": message.topic_id,
        "email": message.email,
        "expires_at": _expiry(message),
        "replay_of": origin.replay_of,
        "source": origin.source,
        "recipients_hash": message.fingerprint.recipients,
        "content_hash": message.fingerprint.content,
        "lane": message.lane_name,
        "tenant": message.tenant,
        "subject": row_subject(message, keep=keep_subject),
        "now": now,
    }


def stopped_row(
    message: EmailMessage, origin: Origin, stopped: Stopped, now: float, *, keep_subject: bool
) -> dict[str, object]:
    """For `statements.STOP`; `now` in Unix seconds."""
    row = new_row(message, origin, now, keep_subject=keep_subject)
    return row | {"error": row_change(stopped).error, "kept": origin.kept}


def left_out_rows(uuid: str, copies: Iterable[LeftOut], now: float) -> list[dict[str, object]]:
    """For `statements.LEFT_OUT`; `now` in Unix seconds."""
    return [{"uuid": uuid, "address": copy.address, "reason": copy.reason, "now": now} for copy in copies]


def claimed_row(
    entry: ClaimRequest, now: float, *, in_doubt: bool, claimed_at: float, keep_subject: bool
) -> tuple[object, ...]:
    """In the order of `statements.insert_claimed`, an empty text for what is missing; times in Unix seconds."""
    message, origin = entry
    return (
        message.uuid,
        _tag(message) or "",
        message.topic_id or "",
        message.email,
        _expiry(message) or "",
        int(in_doubt),
        claimed_at,
        origin.replay_of or "",
        origin.source,
        *message.fingerprint,
        message.lane_name,
        message.tenant or "",
        row_subject(message, keep=keep_subject) or "",
        now,
        now,
    )


def trace_rows(entries: Iterable[ClaimRequest | FinishRequest | ScheduleRequest]) -> list[dict[str, object]]:
    """For `statements.TRACE`; of the mails that belong to a trace."""
    return [
        {
            "uuid": entry.message.uuid,
            "recipients_hash": entry.message.fingerprint.recipients,
            "traceparent": entry.origin.traceparent,
        }
        for entry in entries
        if entry.origin.traceparent
    ]


def as_json(rows: Sequence[object]) -> str:
    """The rows of a whole group in the form in which statements take them."""
    return orjson.dumps(rows).decode()


def _tag(message: EmailMessage) -> str | None:
    tag = message.tag
    return None if tag == message.uuid else tag


def _expiry(message: EmailMessage) -> float | None:
    return message.expires_at.timestamp() if message.expires_at else None


async def keep_for_later(
    connection: aiosqlite.Connection,
    message: EmailMessage,
    origin: Origin,
    now: float,
    *,
    keep_subject: bool,
    revision: int = 0,
    held_by: str | None = None,
) -> None:
    """Insert scheduled or held mail with its content.

    A row without content, of a mail that another worker had tried by the time we heard of it, gets this copy: it may be the
    only one. A row that has content already, or whose mail has ended, is left as it is; but with `held_by`, the key of a
    hold, an unfinished one waits for that hold; or until the mail is due, if the key is `WINDOW`.
    """
    content_id = await keep_content(connection, message, now)
    row = new_row(message, origin, now, keep_subject=keep_subject)
    row |= {
        "content_id": content_id,
        "scheduled_at": message.scheduled_at.timestamp() if message.scheduled_at else None,
        "held_by": None if held_by == WINDOW else held_by,
        "put_back": held_by is not None,
    }
    taken = await connection.execute_fetchall(statements.INSERT_SCHEDULED, row | {"revision": revision})
    if [each["content_id"] for each in taken] != [content_id]:
        await connection.execute(statements.DROP_UNUSED_CONTENT, {"id": content_id})
    await connection.executemany(statements.TRACE, trace_rows([ScheduleRequest(message, origin)]))
