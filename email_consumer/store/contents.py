"""Subjects and bodies of mail that waits in our own keeping: each distinct content once."""

import hashlib
import json

import aiosqlite

from email_consumer.message import EmailMessage

_OF_THE_MAIL = {"uuid", "email", "topic_id", "scheduled_at", "expires_at", "subject", "body"}
"""What the mail's own row, or the content's own columns, hold."""


async def keep_content(connection: aiosqlite.Connection, message: EmailMessage, now: float) -> int:
    """Store subject, body and further fields of `message` unless they are there already; the content's id."""
    extra = message.model_dump_json(exclude_unset=True, exclude=_OF_THE_MAIL)
    digest = hashlib.sha256(f"{message.subject}\0{extra}\0{message.body}".encode()).digest()
    await connection.execute(
        "INSERT OR IGNORE INTO email_contents (hash, subject, content, extra, created_at) VALUES (?, ?, ?, ?, ?)",
        (digest, message.subject, message.body, None if extra == "{}" else extra, now),
    )
    rows = await connection.execute_fetchall("SELECT id FROM email_contents WHERE hash = ?", (digest,))
    return int(next(iter(rows))[0])


def content_fields(subject: str, content: str, extra: str | None) -> dict[str, object]:
    """What `keep_content` stored, as fields of a message."""
    return {**json.loads(extra or "{}"), "subject": subject, "body": content}
