"""The sums of a topic's transactional mail, which triggers keep."""

import sqlite3
from contextlib import closing
from pathlib import Path

from email_consumer.api.statistics import Statistics
from email_consumer.store.database import Database, open_database
from email_consumer.store.status import Status
from tests.integration.store.test_migrations import older_file

_ROW = """
INSERT INTO email_requests (uuid, topic_id, lane, email, status, source, created_at, updated_at)
VALUES (?, ?, ?, 'a@b.c', ?, 'nats', 1, 1)
"""
_MAILS = [
    ("t-1", "t", "transactional", Status.PROCESSED),
    ("t-2", "t", "transactional", Status.SENT),
    ("b-1", "t", "bulk", Status.SENT),
    ("n-1", "t", None, Status.CREATED),
    ("x-1", None, "transactional", Status.SENT),
]


async def _counts(database: Database) -> dict[Status, int]:
    counts = await Statistics(database).transactional("t")
    return {status: count for status, count in counts.items() if count}


async def test_they_follow_the_mail(tmp_path: Path) -> None:
    async with open_database(tmp_path / "email.db") as database:

        async def run(statement: str) -> dict[Status, int]:
            async with database.transaction() as connection:
                await connection.execute(statement)
            return await _counts(database)

        async with database.transaction() as connection:
            await connection.executemany(_ROW, _MAILS)
        assert await _counts(database) == {Status.PROCESSED: 1, Status.SENT: 1}
        assert await run("UPDATE email_requests SET status = 2 WHERE uuid = 't-1'") == {Status.SENT: 2}
        assert await run("UPDATE email_requests SET status = 2 WHERE uuid = 'n-1'") == {Status.SENT: 2}
        moved = "UPDATE email_requests SET lane = 'transactional', status = 3 WHERE uuid IN ('n-1', 'b-1')"
        assert await run(moved) == {Status.SENT: 2, Status.FAILED: 2}
        assert await run("UPDATE email_requests SET lane = 'bulk' WHERE uuid = 'n-1'") == {
            Status.SENT: 2,
            Status.FAILED: 1,
        }
        assert await run("DELETE FROM email_requests WHERE uuid IN ('t-1', 'b-1', 'x-1')") == {Status.SENT: 1}
        assert await run("DELETE FROM topic_counts") == {}


async def test_mail_that_was_there_before_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "email.db"
    older_file(path, 26)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("normal_form", 1, str)
        connection.executemany(_ROW, _MAILS)
    async with open_database(path) as database:
        assert await _counts(database) == {Status.PROCESSED: 1, Status.SENT: 1}
