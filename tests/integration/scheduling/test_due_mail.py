"""What becomes of stored mail that is due: a message, or a dead letter where its uuid was used for somebody else."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

from email_consumer.core.dead_letters import DeadLetterKind
from email_consumer.jetstream.publisher import header_bytes
from email_consumer.ledgers.statements import RETIRE
from email_consumer.message.lane import Lane
from email_consumer.message.model import decode
from email_consumer.scheduling.deferred import StoredContent
from email_consumer.scheduling.due_mail import DueMail, Message
from email_consumer.store.database import Database
from tests.integration.scheduling.test_turns import store


async def test_mail_whose_uuid_was_used_for_others_meanwhile_becomes_a_dead_letter(database: Database) -> None:
    await store(database, {"acme": 2}, scheduled_at=datetime.now(UTC).isoformat())
    [row] = await database.fetch("SELECT id FROM email_requests WHERE uuid = 'acme-0'")
    async with database.transaction() as connection:  # as the projection does once a worker has sent the other mail
        await connection.execute(RETIRE, {"id": row["id"]})
    due = await DueMail(database).take(Lane.BULK, 10)
    assert [decode(message.payload).uuid for message in due.messages] == ["acme-1"]
    [letter] = due.unpublishable
    assert letter.kind is DeadLetterKind.CONFLICT
    assert letter.reason == "its uuid was used by a mail to other recipients"
    assert decode(letter.payload).uuid == "acme-0"


async def test_mail_without_its_content_becomes_a_dead_letter(database: Database) -> None:
    await store(database, {"acme": 1}, scheduled_at=datetime.now(UTC).isoformat())
    with closing(sqlite3.connect(database.path)) as other:  # a program that does not check foreign keys
        other.execute("DELETE FROM email_contents")
        other.commit()
    [letter] = (await DueMail(database).take(Lane.BULK, 10)).unpublishable
    assert (letter.kind, letter.reason) == (
        DeadLetterKind.UNDECODABLE,
        "stored mail is invalid: its content no longer exists",
    )


def test_the_size_of_a_message_includes_its_headers() -> None:
    headers = {"Nats-Msg-Id": "nats:u-1"}
    assert Message(1, StoredContent(1, ""), b"abc", headers).size == 3 + header_bytes(headers) > 3
