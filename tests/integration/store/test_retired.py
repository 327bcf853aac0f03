"""Former lives of uuids, under the names that the version before gave them."""

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from email_consumer.message.model import uuid_tag
from email_consumer.store.database import open_database

_BEFORE = 7
"""The schema's version when a former life was called `uuid#id`."""
_ROW = """
INSERT INTO email_requests (id, uuid, tag, email, status, source, created_at, updated_at)
VALUES (?, ?, ?, 'a@b.c', ?, 'nats', 1, 1)
"""
_HASHED = uuid_tag("an order")
_ROWS = [
    (1, "order#1", None, 2),  # a former life of `order`
    (2, "order", None, 2),
    (3, "order#3", uuid_tag("order#3"), 2),  # a publisher's own name, though it looks the same
    (4, "an order#4", _HASHED, 3),  # the earlier mail of a uuid that has a tag
    (5, "an order", _HASHED, 2),
    (6, "an order#6", uuid_tag("an order#6"), 2),
    (7, "waiting#7", uuid_tag("waiting#7"), 0),
    (8, "gone#8", None, 4),  # whose later life retention has deleted already
]


def file_of_the_version_before(path: Path, *, copied: bool) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for migration in sorted(files("email_consumer.store").joinpath("migrations").iterdir(), key=lambda e: e.name):
            if migration.name.endswith(".sql") and int(migration.name[:3]) <= _BEFORE:
                connection.executescript(migration.read_text())
        connection.execute(f"PRAGMA user_version = {_BEFORE}")
        connection.executemany(_ROW, _ROWS)
        if copied:
            connection.execute("INSERT INTO facts (name, value) VALUES ('replica', 'started')")


@pytest.mark.parametrize("copied", [False, True])
async def test_former_lives_get_names_that_nobody_can_choose(tmp_path: Path, copied: bool) -> None:
    path = tmp_path / "email.db"
    file_of_the_version_before(path, copied=copied)
    async with open_database(path) as database:
        names = dict(map(tuple, await database.fetch("SELECT id, uuid FROM email_requests")))
        changed = await database.fetch("SELECT name, key FROM replica_changes ORDER BY seq")
    assert names == {row[0]: row[1] for row in _ROWS} | {1: "order\0001", 4: "an order\0004", 8: "gone\0008"}
    retired = [("email_requests", f"[{id_}]") for id_ in (1, 4, 8)]
    assert [tuple(row) for row in changed] == (retired if copied else [])
