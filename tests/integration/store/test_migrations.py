"""Files that earlier versions wrote are brought up to date with what is in them."""

import sqlite3
import time
from importlib.resources import files
from pathlib import Path

import pytest

from email_consumer.store.database import open_database

MIGRATIONS = sorted(
    entry.name
    for entry in files("email_consumer.store").joinpath("migrations").iterdir()
    if entry.name.endswith(".sql")
)
_ROW = """
INSERT INTO email_requests (uuid, topic_id, email, status, source, created_at, updated_at) VALUES (?, 't', 'a@b.c', ?, ?, 1, 1)
"""


def older_file(path: Path, version: int) -> None:
    """As the program of that version would have left it."""
    with sqlite3.connect(path) as connection:
        for name in MIGRATIONS[:version]:
            connection.executescript(files("email_consumer.store").joinpath("migrations", name).read_text())
        connection.execute(f"PRAGMA user_version = {version}")
        connection.executemany(_ROW, [("u-1", 2, "nats"), ("u-2", 0, "nats")])
        connection.execute(
            "INSERT INTO email_contents (hash, subject, content, created_at) VALUES (x'00', 's', 'c', 1)"
        )
        connection.execute("UPDATE email_requests SET content_id = 1, scheduled_at = 5 WHERE uuid = 'u-2'")


def schema(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name").fetchall()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
async def test_an_older_file_becomes_what_a_new_one_is(tmp_path: Path, version: int) -> None:
    older, new = tmp_path / "older.db", tmp_path / "new.db"
    older_file(older, version)
    async with open_database(new):
        pass
    async with open_database(older) as database:
        rows = await database.fetch("SELECT uuid, status FROM email_requests ORDER BY id")
        assert [tuple(row) for row in rows] == [("u-1", 2), ("u-2", 0)]
        counts = await database.fetch("SELECT status, count FROM topic_counts ORDER BY status")
        assert [tuple(row) for row in counts] == [(0, 1), (2, 1)]
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO email_results (request_id, status, recipient, created_at) VALUES (1, 'Delivery', 'a@b.c', ?)",
                (time.time(),),
            )
        assert [tuple(row) for row in await database.fetch("SELECT * FROM topic_results")] == [("t", "Delivery", 1)]
    assert schema(older) == schema(new)


async def test_the_tables_of_earlier_services_are_there_by_their_names(tmp_path: Path) -> None:
    async with open_database(tmp_path / "email.db"):
        pass
    wanted = {
        "email_contents": "id subject content",
        "email_requests": "id topic_id message_id email content_id scheduled_at status error created_at updated_at",
        "email_results": "id request_id status raw created_at",
    }
    with sqlite3.connect(tmp_path / "email.db") as connection:
        for table, columns in wanted.items():
            found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            assert found >= set(columns.split())


async def test_erasing_a_mail_takes_its_traces_with_it(tmp_path: Path) -> None:
    older_file(tmp_path / "email.db", len(MIGRATIONS))
    async with open_database(tmp_path / "email.db") as database:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO email_results (request_id, status, created_at) VALUES (1, 'Open', 1)")
            await connection.execute("DELETE FROM email_requests WHERE id = 1")
        assert await database.fetch("SELECT * FROM email_results") == []
        counts = await database.fetch("SELECT status, count FROM topic_counts WHERE count > 0")
        assert [tuple(row) for row in counts] == [(0, 1)]
