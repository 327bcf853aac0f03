"""Topics, the latest first."""

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from email_consumer.store.database import open_database
from email_consumer.store.retention import Retention
from tests.integration.dashboard.rows import rows


def names(answer: Any) -> list[str]:
    return [topic["topic_id"] for topic in answer["topics"]]


NO_MAIL = {"Created": 0, "Processed": 0, "Sent": 0, "Failed": 0, "Stopped": 0}
NO_RESULT = {"Delivery": 0, "Bounce": 0, "Complaint": 0, "Open": 0}


async def test_topics_come_with_their_numbers_the_latest_first(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add("a@example.com", "b@example.com", topic="old", at=1e9)
        await it.add("c@example.com", topic="new", at=1e9 + 100, status=3, error="no")
        await it.add("d@example.com", topic=None, at=1e9 + 200)
        await it.execute(
            "INSERT INTO email_results (request_id, status, recipient, created_at) VALUES (1, 'Delivery', 'a@example.com', 0)"
        )
        await it.execute("INSERT INTO cancellations (topic_id, sequence, cancelled_at) VALUES ('old', 1, 1000000000)")
        status, answer = await it.get("/v1/topics")
        assert status == 200
        assert answer == {
            "topics": [
                {
                    "topic_id": "new",
                    "active_at": "2001-09-09T01:48:20.000Z",
                    "request_counts": NO_MAIL | {"Failed": 1},
                    "result_counts": NO_RESULT,
                    "cancelled_at": None,
                },
                {
                    "topic_id": "old",
                    "active_at": "2001-09-09T01:46:40.000Z",
                    "request_counts": NO_MAIL | {"Sent": 2},
                    "result_counts": NO_RESULT | {"Delivery": 1},
                    "cancelled_at": "2001-09-09T01:46:40.000Z",
                },
            ],
            "next": None,
        }


async def test_new_mail_brings_a_topic_to_the_front_but_not_with_each_mail(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add("a@example.com", topic="daily", at=1e9)
        await it.add("b@example.com", topic="other", at=1e9 + 10)
        await it.add("c@example.com", topic="daily", at=1e9 + 59)
        assert names((await it.get("/v1/topics"))[1]) == ["other", "daily"]
        await it.add("c@example.com", topic="daily", at=1e9 + 60)
        assert names((await it.get("/v1/topics"))[1]) == ["daily", "other"]
        await it.add("late@example.com", topic="other", at=1e9 - 3600)  # a clock that went back takes nothing back
        assert (await it.get("/v1/topics"))[1]["topics"][1]["active_at"] == "2001-09-09T01:46:50.000Z"


async def test_pages_follow_each_other_without_gaps_also_at_the_same_moment(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        for number in range(7):
            await it.add("a@example.com", topic=f"t{number}", at=1e9 + number // 3 * 0.123456789)
        found: list[str] = []
        after: dict[str, str | int] = {}
        while True:
            _, answer = await it.get("/v1/topics", limit=2, **after)
            found += names(answer)
            if not answer["next"]:
                break
            after = {"after": answer["next"]}
        assert found == [f"t{number}" for number in reversed(range(7))]


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": "1"}, {"after": "1-"}, {"limit": 0}, {"limit": 201}])
async def test_wrong_questions_are_refused(tmp_path: Path, query: dict[str, str | int]) -> None:
    async with rows(tmp_path) as it:
        assert (await it.get("/v1/topics", **query))[0] == 422


async def test_a_topic_leaves_with_its_last_mail(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add("a@example.com", "b@example.com", topic="gone", at=1e9)
        await it.add("a@example.com", topic="stays", at=2e9)
        await it.execute("UPDATE email_requests SET finished_at = created_at")
        await Retention(it.database, 100).sweep(1e9 + 200)
        assert names((await it.get("/v1/topics"))[1]) == ["stays"]


async def test_an_older_file_brings_its_topics_along(tmp_path: Path) -> None:
    path = tmp_path / "email.db"
    migrations = files("email_consumer.store").joinpath("migrations")
    with closing(sqlite3.connect(path)) as older, older:
        for number, name in enumerate(sorted(entry.name for entry in migrations.iterdir())[:5], start=1):
            older.executescript(migrations.joinpath(name).read_text())
            older.execute(f"PRAGMA user_version = {number}")
        older.executemany(
            "INSERT INTO email_requests (uuid, topic_id, email, status, source, created_at, updated_at)"
            " VALUES (?, ?, 'a@example.com', 2, 'nats', ?, 0)",
            [("u-1", "t", 5.0), ("u-2", "t", 7.0), ("u-3", None, 9.0)],
        )
    older.close()
    async with open_database(path) as database:
        found = await database.fetch("SELECT topic_id, active_at FROM topics")
        assert [tuple(row) for row in found] == [("t", 7.0)]
