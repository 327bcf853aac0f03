"""Opens as they are recorded in a real file."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from email_consumer.store.database import Database, open_database
from email_consumer.tracking.opens import Open, OpenRecorder

_SENT = """
INSERT INTO email_requests (uuid, tag, topic_id, email, status, finished_at, source, created_at, updated_at)
VALUES (?, ?, 't', ?, 2, ?, 'api', 0, 0)
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "email.db") as opened:
        long_ago = time.time() - 3600
        async with opened.transaction() as connection:
            await connection.execute(_SENT, ("u-1", None, "A <A@Example.com>", long_ago))
            await connection.execute(_SENT, ("ü", "sha256-x", "b@example.com", long_ago))
            await connection.execute(_SENT, ("new", None, "c@example.com", time.time()))
        yield opened


async def record(database: Database, *opens: Open) -> None:
    recorder = OpenRecorder(database)
    for one in opens:
        recorder.record(one)
    await recorder.flush()


def opened(tag: str, *, machine: bool = False) -> Open:
    return Open(tag, time.time(), machine, "Firefox")


async def counts(database: Database) -> dict[str, int]:
    return {row["kind"]: row["count"] for row in await database.fetch("SELECT kind, count FROM topic_results")}


async def test_distinct_recipients_count_and_machines_apart(database: Database) -> None:
    await record(database, opened("u-1"), opened("u-1"), opened("sha256-x"), opened("u-1", machine=True))
    assert await counts(database) == {"Open": 2, "MachineOpen": 1}
    rows = await database.fetch("SELECT DISTINCT recipient, raw FROM email_results ORDER BY recipient")
    assert [tuple(row) for row in rows] == [
        ("a@example.com", '{"userAgent":"Firefox"}'),
        ("b@example.com", '{"userAgent":"Firefox"}'),
    ]


async def test_within_two_seconds_of_sending_nobody_has_read_it(database: Database) -> None:
    await record(database, opened("new"))
    assert await counts(database) == {"MachineOpen": 1}


async def test_an_unknown_mail_leaves_nothing(database: Database) -> None:
    await record(database, opened("gone"), opened("u-1"))
    assert len(await database.fetch("SELECT * FROM email_results")) == 1


async def test_loading_it_again_and_again_does_not_fill_the_disk(database: Database) -> None:
    await record(database, *(opened("u-1") for _ in range(700)))
    assert len(await database.fetch("SELECT * FROM email_results")) == 50


async def test_more_than_it_can_hold_is_dropped_and_counted(database: Database) -> None:
    recorder = OpenRecorder(database)
    for _ in range(10_005):
        recorder.record(opened("gone"))
    assert recorder.dropped == 5
