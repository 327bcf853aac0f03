"""Reading rows one by one, as the copy to JetStream does, exposes no old snapshot to other readers."""

from pathlib import Path

from email_consumer.replica.capture import next_rows, tables
from email_consumer.store.database import open_database

_MANY = """
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 500)
INSERT INTO email_requests (uuid, topic_id, email, status, source, created_at, updated_at)
SELECT 'u-' || n, 't', 'a@example.com', 0, 'nats', 1, 1 FROM number
"""


async def test_a_commit_is_seen_while_the_rows_are_still_being_read(tmp_path: Path) -> None:
    async with open_database(tmp_path / "email.db") as database:
        async with database.transaction() as connection:
            await connection.execute(_MANY)
            [mails] = [table for table in await tables(connection) if table.name == "email_requests"]
        rows = next_rows(database, mails, None, 500)
        await anext(rows)
        async with database.transaction() as connection:
            await connection.execute("UPDATE email_requests SET status = 2")
        [(waiting,)] = await database.fetch("SELECT count(*) FROM email_requests WHERE status = 0")
        assert waiting == 0
        assert len([row async for row in rows]) == 499
