"""Files that earlier versions wrote are brought up to date with what is in them."""

import asyncio
import sqlite3
import sys
import time
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from email_consumer.message.address import normal_form
from email_consumer.store.database import open_database

MIGRATIONS = {
    int(entry.name[:3]): entry.read_text()
    for entry in files("email_consumer.store").joinpath("migrations").iterdir()
    if entry.name.endswith(".sql")
}
_FILES = [entry.name for entry in files("email_consumer.store").joinpath("migrations").iterdir()]
OLDER = sorted(MIGRATIONS)[:-1]
_ROW = """
INSERT INTO email_requests (uuid, topic_id, email, status, source, created_at, updated_at) VALUES (?, 't', 'a@b.c', ?, ?, 1, 1)
"""


def older_file(path: Path, version: int) -> None:
    """As the program of that version would have left it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("normal_form", 1, normal_form)
        for number in sorted(MIGRATIONS):
            if number <= version:
                connection.executescript(MIGRATIONS[number])
        connection.execute(f"PRAGMA user_version = {version}")
        connection.executemany(_ROW, [("u-1", 2, "nats"), ("u-2", 0, "nats")])
        connection.execute(
            "INSERT INTO email_contents (hash, subject, content, created_at) VALUES (x'00', 's', 'c', 1)"
        )
        connection.execute("UPDATE email_requests SET content_id = 1, scheduled_at = 5 WHERE uuid = 'u-2'")


def schema(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name").fetchall()


def test_no_two_migrations_have_the_same_number() -> None:
    assert len([name for name in _FILES if name.endswith(".sql")]) == len(MIGRATIONS)


async def test_a_new_file_is_one_line_in_the_log_and_an_older_one_a_line_a_step(tmp_path: Path) -> None:
    older_file(tmp_path / "older.db", OLDER[-2])
    logged = []
    for name in ("new.db", "new.db", "older.db"):
        with capture_logs() as log:
            async with open_database(tmp_path / name):
                pass
        logged.append([line["event"] for line in log])
    assert logged == [["store.created"], [], ["store.migrated"] * 2]


@pytest.mark.parametrize("version", OLDER)
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
    with closing(sqlite3.connect(tmp_path / "email.db")) as connection, connection:
        for table, columns in wanted.items():
            found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            assert found >= set(columns.split())


async def test_erasing_a_mail_takes_its_traces_with_it(tmp_path: Path) -> None:
    older_file(tmp_path / "email.db", max(MIGRATIONS))
    async with open_database(tmp_path / "email.db") as database:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO email_results (request_id, status, created_at) VALUES (1, 'Open', 1)")
            await connection.execute("DELETE FROM email_requests WHERE id = 1")
        assert await database.fetch("SELECT * FROM email_results") == []
        counts = await database.fetch("SELECT status, count FROM topic_counts WHERE count > 0")
        assert [tuple(row) for row in counts] == [(0, 1)]


ODD = """
INSERT INTO email_requests (uuid, topic_id, email, status, source, created_at, updated_at) VALUES
    ('o-1', 't', 'Anna < Anna@bücher.example>', 2, 'nats', 1, 1), ('o-2', 't', ' BEA@example.com', 0, 'api', 1, 1),
    ('o-3', 't', 'kim+news@example.com', 2, 'nats', 1, 1), ('o-4', 't', 'o''neill@example.com', 2, 'nats', 1, 1),
    ('o-5', 't', 'no address <', 2, 'nats', 1, 1);
INSERT INTO email_results (request_id, status, recipient, created_at) VALUES
    (3, 'Open', 'anna@bücher.example', 1), (3, 'Open', 'anna@xn--bcher-kva.example', 2), (3, 'Open', '"kim"@example.com', 2);
INSERT INTO suppressions (address, reason, source, created_at, removed_at) VALUES
    ('"dora"@example.com', 'hard bounce', 'event', 5, NULL), ('dora@example.com', 'manual', 'api', 1, 4),
    ('"emil"@example.com', 'hard bounce', 'event', 5, NULL), ('emil@example.com', 'manual', 'api', 1, 6),
    ('"fritz"@example.com', 'hard bounce', 'event', 5, NULL), ('fritz@example.com', 'complaint', 'event', 1, NULL),
    ('"gustav"@example.com', 'hard bounce', 'event', 5, NULL), ('no address', 'manual', 'api', 5, NULL);
"""


def before_addresses(path: Path) -> None:
    older_file(path, 7)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(ODD)


async def assert_normal(path: Path) -> None:
    async with open_database(path) as database:
        addresses = await database.fetch("SELECT uuid, address FROM email_requests WHERE address IS NOT NULL")
        assert {tuple(row) for row in addresses} == {
            ("o-1", "anna@xn--bcher-kva.example"),
            ("o-2", "bea@example.com"),
        }
        results = await database.fetch("SELECT recipient FROM email_results ORDER BY id")
        assert [row[0] for row in results] == ["anna@xn--bcher-kva.example"] * 2 + ["kim@example.com"]
        recipients = await database.fetch("SELECT recipient FROM topic_recipients ORDER BY recipient")
        assert [row[0] for row in recipients] == ["anna@xn--bcher-kva.example", "kim@example.com"]
        assert [tuple(row) for row in await database.fetch("SELECT * FROM topic_results")] == [("t", "Open", 2)]
        suppressed = await database.fetch("SELECT address, reason, removed_at FROM suppressions ORDER BY address")
        assert [tuple(row) for row in suppressed] == [
            ("dora@example.com", "hard bounce", None),
            ("emil@example.com", "manual", 6),
            ("fritz@example.com", "complaint", None),
            ("gustav@example.com", "hard bounce", None),
            ("no address", "manual", None),
        ]


async def test_addresses_of_an_older_file_are_brought_into_their_normal_form(tmp_path: Path) -> None:
    before_addresses(tmp_path / "email.db")
    await assert_normal(tmp_path / "email.db")


_STOPS_HALF_WAY = """
import asyncio, pathlib, sys, time
from email_consumer.store import addresses, database
taken = []
def half_way(text):
    taken.append(text)
    if len(taken) == 4:
        print("half-way", flush=True)
        time.sleep(600)
    return text.strip().lower()
addresses.normal_form = half_way
asyncio.run(database.open_database(pathlib.Path(sys.argv[1])).__aenter__())
"""


async def test_a_migration_that_is_killed_half_way_begins_again(tmp_path: Path) -> None:
    before_addresses(tmp_path / "email.db")
    arguments = ["-c", _STOPS_HALF_WAY, str(tmp_path / "email.db")]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async for line in process.stdout:
        if line == b"half-way\n":
            process.kill()
    await process.wait()
    await assert_normal(tmp_path / "email.db")


_BOUNCED = """
INSERT INTO suppressions (address, reason, detail, source, created_at) VALUES
    ('away@example.com', 'soft bounces', '2 in a row', 'event', 1), ('full@example.com', 'soft bounces', '2 in a row', 'event', 1),
    ('both@example.com', 'soft bounces', '2 in a row', 'event', 1), ('old@example.com', 'soft bounces', '2 in a row', 'event', 1),
    ('hard@example.com', 'hard bounce', '', 'event', 1);
INSERT INTO email_results (request_id, status, recipient, detail, created_at) VALUES
    (1, 'Bounce', 'away@example.com', 'Transient/General', 1), (2, 'Bounce', 'away@example.com', 'Transient/General', 2),
    (1, 'Bounce', 'full@example.com', 'Transient/MailboxFull', 1), (2, 'Bounce', 'full@example.com', 'Transient/MailboxFull', 2),
    (1, 'Bounce', 'both@example.com', 'Transient/MailboxFull', 1), (2, 'Bounce', 'both@example.com', 'Transient/General', 2),
    (1, 'Bounce', 'hard@example.com', 'Transient/General', 1);
"""


async def test_whom_automatic_replies_brought_onto_the_list_gets_mail_again(tmp_path: Path) -> None:
    older_file(tmp_path / "email.db", 7)
    with closing(sqlite3.connect(tmp_path / "email.db")) as connection, connection:
        connection.executescript(_BOUNCED)
    async with open_database(tmp_path / "email.db") as database:
        stopped = await database.fetch("SELECT address FROM suppressions WHERE removed_at IS NULL ORDER BY address")
        assert [row[0] for row in stopped] == ["full@example.com", "hard@example.com", "old@example.com"]


async def test_who_had_unsubscribed_stays_so_for_bulk_mail(tmp_path: Path) -> None:
    older_file(tmp_path / "email.db", 19)
    with closing(sqlite3.connect(tmp_path / "email.db")) as connection, connection:
        connection.executescript("""
            INSERT INTO suppressions (address, reason, detail, source, created_at, removed_at, mirror) VALUES
                ('bounced@example.com', 'hard bounce', 'x', 'event', 5, NULL, 'put'),
                ('freed@example.com', 'unsubscribed', '', 'recipient', 5, 6, 'delete'),
                ('left@example.com', 'unsubscribed', '', 'recipient', 5, NULL, NULL)
        """)
    async with open_database(tmp_path / "email.db") as database:
        rows = await database.fetch("SELECT * FROM suppressions ORDER BY address")
        assert [tuple(row) for row in rows] == [
            ("bounced@example.com", "hard bounce", "x", "event", 5, None, "put", "all"),
            ("freed@example.com", "unsubscribed", "", "recipient", 5, 6, "delete", "all"),
            ("left@example.com", "unsubscribed", "", "recipient", 5, None, None, "bulk"),
        ]
