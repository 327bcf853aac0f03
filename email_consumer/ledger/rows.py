"""A mail's first row in `email_requests`."""

import aiosqlite

from email_consumer.claim import Origin
from email_consumer.ledger import statements
from email_consumer.message import EmailMessage
from email_consumer.store.contents import keep_content


def new_row(message: EmailMessage, origin: Origin, now: float) -> dict[str, object]:
    """What the mail itself tells; `now` in Unix seconds."""
    return {
        "uuid": message.uuid,
        "tag": None if message.tag == message.uuid else message.tag,
        "topic_id": message.topic_id,
        "email": message.email,
        "expires_at": message.expires_at.timestamp() if message.expires_at else None,
        "replay_of": origin.replay_of,
        "source": origin.source,
        "now": now,
    }


async def keep_for_later(connection: aiosqlite.Connection, message: EmailMessage, origin: Origin, now: float) -> bool:
    """Insert the mail with its content, due at its time; False when its uuid is known already."""
    content_id = await keep_content(connection, message, now)
    row = new_row(message, origin, now)
    row |= {"content_id": content_id, "scheduled_at": message.scheduled_at.timestamp()}  # type: ignore[union-attr]
    inserted = await connection.execute(statements.INSERT_SCHEDULED, row)
    return inserted.rowcount > 0
