"""What is counted by minute and lane, and what becomes of it when it is old."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from email_consumer.store.activity import COLUMNS, activity
from email_consumer.store.database import Database, open_database
from email_consumer.store.retention import Retention
from email_consumer.store.status import Status
from tests.integration.store.test_migrations import older_file

_MAIL = """
INSERT INTO email_requests (uuid, lane, email, status, finished_at, source, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, 'nats', 0, 0)
"""
_RESULT = """
INSERT INTO email_results (request_id, status, recipient, machine, detail, created_at)
SELECT id, ?, ?, ?, ?, ? FROM email_requests WHERE uuid = ?
"""
_NOON = 1_700_006_400  # a full hour
_LONG = 400 * 86_400


async def _counts(database: Database, *, step: int = 60) -> dict[tuple[int, str], dict[str, int]]:
    """By time and lane, without zeros."""
    found: dict[tuple[int, str], dict[str, int]] = {}
    for at, lane, values in await activity(database, 0, 2 * _NOON // 3600 * 3600, step=step):
        counts = found.setdefault((at, lane), {})
        for name, value in zip(COLUMNS, values, strict=True):
            if value:
                counts[name] = counts.get(name, 0) + value
    return found


def _fill(connection: sqlite3.Connection) -> None:
    mails = [
        ("sent", "transactional", "a@example.com", Status.SENT, _NOON),
        ("bounced", "bulk", "b@example.com", Status.SENT, _NOON + 59),
        ("failed", None, "c@example.com", Status.FAILED, _NOON + 60),
        ("stopped", "bulk", "d@example.com", Status.STOPPED, _NOON + 60),
        ("waiting", "bulk", "e@example.com", Status.CREATED, None),
    ]
    connection.executemany(_MAIL, mails)
    results = [
        ("Delivery", "a@example.com", 0, "", _NOON + 61, "sent"),
        ("Delivery", "copy@example.com", 0, "", _NOON + 61, "sent"),
        ("Open", "a@example.com", 1, "", _NOON + 62, "sent"),
        ("Open", "a@example.com", 0, "", _NOON + 125, "sent"),
        ("Open", "a@example.com", 0, "", _NOON + 185, "sent"),
        ("Complaint", "a@example.com", 0, "not-spam", _NOON + 190, "sent"),
        ("DeliveryDelay", "b@example.com", 0, "MailboxFull", _NOON + 60, "bounced"),
        ("Bounce", "b@example.com", 0, "Transient/General", _NOON + 60, "bounced"),
        ("Bounce", "b@example.com", 0, "Permanent/General", _NOON + 60, "bounced"),
        ("Bounce", "b@example.com", 0, "Permanent/General", _NOON + 60, "bounced"),
    ]
    connection.executemany(_RESULT, results)


_COUNTED = {
    (_NOON, "transactional"): {"sent": 1},
    (_NOON, "bulk"): {"sent": 1},
    (_NOON + 60, "bulk"): {"failed": 1, "stopped": 1, "delayed": 1, "bounced": 1, "soft_bounced": 1},
    (_NOON + 60, "transactional"): {"delivered": 1},
    (_NOON + 120, "transactional"): {"opened": 1},
}


async def test_each_mail_counts_once_by_its_own_recipient(tmp_path: Path) -> None:
    async with open_database(tmp_path / "email.db") as database:
        await database.call(lambda: _fill)
        assert await _counts(database) == _COUNTED


async def test_a_mail_counts_when_its_row_is_moved(tmp_path: Path) -> None:
    async with open_database(tmp_path / "email.db") as database:
        await database.call(lambda: _fill)
        async with database.transaction() as connection:
            change = "UPDATE email_requests SET status = ?, finished_at = ? WHERE uuid = 'waiting'"
            await connection.execute(change, (Status.PROCESSED, None))
            await connection.execute(change, (Status.SENT, _NOON + 300))
            await connection.execute(change, (Status.SENT, _NOON + 360))
        assert await _counts(database) == _COUNTED | {(_NOON + 300, "bulk"): {"sent": 1}}


async def test_old_minutes_become_hours_and_late_events_are_added(tmp_path: Path) -> None:
    async with open_database(tmp_path / "email.db") as database:
        retention = Retention(database, _LONG)
        await database.call(lambda: _fill)
        by_hour = await _counts(database, step=3600)
        assert by_hour == {
            (_NOON, "transactional"): {"sent": 1, "delivered": 1, "opened": 1},
            (_NOON, "bulk"): {"sent": 1, "failed": 1, "stopped": 1, "delayed": 1, "bounced": 1, "soft_bounced": 1},
        }
        await retention.sweep(_NOON + 49 * 3600 + 1)
        assert await _counts(database) == _COUNTED, "two days are kept by minute"
        await retention.sweep(_NOON + 50 * 3600)
        assert await _counts(database) == {}
        assert await _counts(database, step=3600) == by_hour
        late = ("Complaint", "b@example.com", 0, "abuse", _NOON + 240, "bounced")
        async with database.transaction() as connection:
            await connection.execute(_RESULT, late)
        by_hour[_NOON, "bulk"]["complained"] = 1
        assert await _counts(database, step=3600) == by_hour
        await retention.sweep(_NOON + 51 * 3600)
        assert await _counts(database, step=3600) == by_hour
        await retention.sweep(_NOON + 401 * 86_400)
        assert await _counts(database, step=3600) == {}


@pytest.mark.parametrize("version", [27])
async def test_the_past_is_counted_at_an_upgrade(tmp_path: Path, version: int) -> None:
    path = tmp_path / "email.db"
    older_file(path, version)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("normal_form", 1, str)
        connection.execute("DELETE FROM email_requests")
        _fill(connection)
    async with open_database(path) as database:
        assert await _counts(database) == _COUNTED
