"""Rows as the ledger, the sidecar and the inbox write them."""

from collections.abc import Sequence
from itertools import count

import orjson

from email_consumer.message.content import Content
from email_consumer.store.contents import keep_content
from email_consumer.store.database import Database
from email_consumer.store.status import Status

_numbers = count(1)

_INSERT = """
INSERT INTO email_requests
    (uuid, topic_id, email, content_id, status, error, in_doubt, finished_at, source, created_at, updated_at)
VALUES (:uuid, :topic, :email, :content, :status, :error, :in_doubt, :finished, 'nats', :created, :created)
"""
_RESULT = "INSERT INTO email_results (request_id, status, recipient, raw, created_at) VALUES (?, ?, ?, ?, 0)"
_ATTEMPT = "INSERT INTO email_attempts (request_id, outcome, reason, created_at) VALUES (?, 'failed', ?, 0)"


async def add_mail(
    database: Database,
    *,
    email: str = "a@example.com",
    status: Status = Status.SENT,
    created: float = 0.0,
    finished: float | None = None,
    topic: str | None = None,
    content: Content | None = None,
    results: Sequence[tuple[str, str]] = (),
    error: str | None = None,
    in_doubt: bool = False,
) -> str:
    """Insert one mail; its uuid. `results`: kind and recipient of each; `error` is an attempt's reason as well."""
    uuid = f"mail-{next(_numbers)}"
    async with database.transaction() as connection:
        values = {
            "uuid": uuid,
            "topic": topic,
            "email": email,
            "content": await keep_content(connection, content, created) if content else None,
            "status": status,
            "error": error,
            "in_doubt": in_doubt,
            "finished": finished if finished is not None or status < Status.SENT else created,
            "created": created,
        }
        row = (await connection.execute(_INSERT, values)).lastrowid
        for kind, recipient in results:
            await connection.execute(_RESULT, (row, kind, recipient, f'{{"to": "{recipient}"}}'))
        if error:
            await connection.execute(_ATTEMPT, (row, error))
    return uuid


async def add_unmatched(database: Database, document: object) -> None:
    """An event whose mail isn't known."""
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO unmatched_events (message_id, received_at, raw) VALUES ('m', 0, ?)",
            (orjson.dumps(document).decode(),),
        )


async def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    """What a query finds, as tuples."""
    return [tuple(row) for row in await database.fetch(sql)]
