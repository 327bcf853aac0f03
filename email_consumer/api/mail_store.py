"""Mail taken in over HTTP, stored with one commit; and the answers that an Idempotency-Key gets again."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import aiosqlite
import orjson

from email_consumer.api.batch import Batch, BatchMessage
from email_consumer.store.contents import keep_content
from email_consumer.store.database import Database
from email_consumer.web.routing import ApiError

# All recipients of one content in one statement: SQLite works through them without the interpreter.
_INSERT = """
INSERT INTO email_requests
    (uuid, topic_id, email, content_id, scheduled_at, expires_at, status, source, recipients_hash, content_hash, created_at,
     updated_at)
SELECT json_extract(value, '$[0]'), :topic_id, json_extract(value, '$[1]'), :content_id, :due_at, :expires_at,
    0, 'api', json_extract(value, '$[2]'), :content_hash, :now, :now
FROM json_each(:recipients)
"""
_ANSWERED = "SELECT hash, answer FROM idempotency_keys WHERE key = ?"
_REMEMBER = "INSERT INTO idempotency_keys (key, hash, answer, created_at) VALUES (?, ?, ?, ?)"
# A few at a time: whoever brings a key pays for little more than their own.
_FORGET = """
DELETE FROM idempotency_keys WHERE key IN
    (SELECT key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT 10)
"""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An Idempotency-Key and what came with it."""

    key: str
    hash: bytes
    """SHA-256 of the request's body."""


class MailStore:
    def __init__(self, database: Database, keep_answers: float) -> None:
        """`keep_answers`: seconds that a key's answer is remembered."""
        self._database = database
        self._keep_answers = keep_answers

    async def store(self, batch: Batch, answer: Callable[[], str], key: RequestKey | None) -> str:
        """Return the answer once all is on disk; one that was given to the same key before comes again instead.

        Raises:
            ApiError: 422 the key was used for another request.
            sqlite3.OperationalError: nothing was stored.
        """
        now = time.time()
        async with self._database.transaction() as connection:
            if key and (earlier := await _earlier(connection, key)):
                return earlier
            for message in batch.messages:
                await _insert(connection, message, now)
            text = answer()
            if key:
                await connection.execute(_REMEMBER, (key.key, key.hash, text, now))
                await connection.execute(_FORGET, (now - self._keep_answers,))
        return text

    async def answered(self, key: RequestKey) -> str | None:
        """What this key was answered before, if it was.

        Raises:
            ApiError: 422 the key was used for another request.
        """
        return await _earlier(self._database.reader, key)


async def _earlier(connection: aiosqlite.Connection, key: RequestKey) -> str | None:
    for row in await connection.execute_fetchall(_ANSWERED, (key.key,)):
        if row["hash"] != key.hash:
            raise ApiError(422, "key_reused", "This Idempotency-Key was used for another request.")
        return str(row["answer"])
    return None


async def _insert(connection: aiosqlite.Connection, message: BatchMessage, now: float) -> None:
    content = message.content
    await connection.execute(
        _INSERT,
        {
            "topic_id": content.topic_id,
            "content_id": await keep_content(connection, content, now),
            "due_at": message.due_at,
            "expires_at": content.expires_at.timestamp() if content.expires_at else None,
            "content_hash": content.fingerprint.content,
            "recipients": orjson.dumps(message.recipients).decode(),
            "now": now,
        },
    )
