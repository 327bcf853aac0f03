"""Stores mail from the HTTP API in one commit, and remembers the responses of Idempotency-Keys."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import aiosqlite
import orjson

from email_consumer.api import statements
from email_consumer.api.batch import Batch, BatchMessage
from email_consumer.core.traceparent import traceparent_of
from email_consumer.store.contents import keep_content, row_subject
from email_consumer.store.database import Database
from email_consumer.web.routing import ApiError

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An Idempotency-Key and the request it came with."""

    key: str
    hash: bytes
    """SHA-256 of the request body."""


class MailStore:
    def __init__(
        self, database: Database, keep_answers: float, *, keep_subjects: bool = True, traced: bool = False
    ) -> None:
        """`keep_answers`: seconds for which a key's response is remembered; `keep_subjects`: whether rows contain subjects.

        `traced`: mail belongs to the trace of its request.
        """
        self._traced = traced
        self._database = database
        self._keep_answers = keep_answers
        self._keep_subjects = keep_subjects

    async def store(
        self, batch: Batch, answer: Callable[[], str], key: RequestKey | None, headers: Mapping[str, str] = _NONE
    ) -> str:
        """Return the response once everything is on disk; if the key was used before, its earlier response.

        `headers`: those of the request.

        Raises:
            ApiError: 422 the key was used with a different request.
            sqlite3.OperationalError: nothing was stored.
        """
        now = time.time()
        traceparent = traceparent_of(headers) if self._traced else None
        async with self._database.transaction() as connection:
            if key and (earlier := await _earlier(connection, key)):
                return earlier
            for message in batch.messages:
                await _insert(connection, message, now, traceparent, keep_subject=self._keep_subjects)
            text = answer()
            if key:
                await connection.execute(statements.REMEMBER_ANSWER, (key.key, key.hash, text, now))
                await connection.execute(statements.FORGET_ANSWERS, (now - self._keep_answers,))
        return text

    async def answered(self, key: RequestKey) -> str | None:
        """The earlier response to this key, if any.

        Raises:
            ApiError: 422 the key was used with a different request.
        """
        return await _earlier(self._database.reader, key)


async def _earlier(connection: aiosqlite.Connection, key: RequestKey) -> str | None:
    for row in await connection.execute_fetchall(statements.ANSWERED, (key.key,)):
        if row["hash"] != key.hash:
            raise ApiError(422, "key_reused", "This Idempotency-Key was used with a different request.")
        return str(row["answer"])
    return None


async def _insert(
    connection: aiosqlite.Connection, message: BatchMessage, now: float, traceparent: str | None, *, keep_subject: bool
) -> None:
    recipients = orjson.dumps(message.recipients).decode()
    await connection.execute(
        statements.INSERT_MAILS,
        {
            "topic_id": message.topic_id,
            "content_id": await keep_content(connection, message.content, now),
            "due_at": message.due_at,
            "expires_at": message.expires_at,
            "content_hash": message.content.content_hash,
            "lane": message.content.lane_name,
            "tenant": message.content.tenant,
            "subject": row_subject(message.content, keep=keep_subject),
            "recipients": recipients,
            "now": now,
        },
    )
    if traceparent:
        await connection.execute(statements.TRACE_MAILS, {"recipients": recipients, "traceparent": traceparent})
