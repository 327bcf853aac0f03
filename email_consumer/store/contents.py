"""Contents (subject, body, further fields) of stored mail, each distinct one once."""

import hashlib

import aiosqlite
import orjson

from email_consumer.message.address import normal_form
from email_consumer.message.content import Content

_EXTRA = Content.model_fields.keys() - {"subject", "body"}
"""Fields that share one column."""
_SUBJECT_LENGTH = 200
"""Characters of a subject that a mail's row repeats: enough to recognise the mail in a list."""
_CONTENT = "SELECT subject, content, extra FROM email_contents WHERE id = ?"


def row_subject(content: Content, *, keep: bool) -> str | None:
    """What a mail's row repeats of its subject; `keep` is KEEP_SUBJECTS."""
    return content.subject[:_SUBJECT_LENGTH] if keep else None


async def keep_content(connection: aiosqlite.Connection, content: Content, now: float) -> int:
    """Store a content, or that of a whole message, unless it exists; its id."""
    extra = content.model_dump_json(exclude_unset=True, include=_EXTRA)
    return await _keep(connection, content.subject, content.body, extra, now)


async def keep_without_copy(connection: aiosqlite.Connection, content_id: int, address: str, now: float) -> int | None:
    """Store the content without `address` (in normal form) in cc and bcc; None if it is in neither."""
    rows = await connection.execute_fetchall(_CONTENT, (content_id,))
    for subject, content, extra in rows:
        given = orjson.loads(extra or "{}")
        left = {name: [each for each in given.get(name) or () if not _is(each, address)] for name in ("cc", "bcc")}
        if any(len(left[name]) < len(given.get(name) or ()) for name in left):
            return await _keep(connection, subject, content, orjson.dumps(given | left).decode(), now)
    return None


async def _keep(connection: aiosqlite.Connection, subject: str, body: str, extra: str, now: float) -> int:
    digest = hashlib.sha256(f"{subject}\0{extra}\0{body}".encode()).digest()
    await connection.execute(
        "INSERT OR IGNORE INTO email_contents (hash, subject, content, extra, created_at) VALUES (?, ?, ?, ?, ?)",
        (digest, subject, body, None if extra == "{}" else extra, now),
    )
    rows = await connection.execute_fetchall("SELECT id FROM email_contents WHERE hash = ?", (digest,))
    return int(next(iter(rows))[0])


def _is(text: str, address: str) -> bool:
    try:
        return normal_form(text) == address
    except ValueError:  # accepted by the rules of an earlier version
        return False


def content_fields(subject: str, content: str, extra: str | None) -> dict[str, object]:
    """A stored content as fields of a message."""
    return {**orjson.loads(extra or "{}"), "subject": subject, "body": content}
