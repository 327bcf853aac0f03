"""The ledger on a real SQLite file."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from email_consumer.claim import Claim, Origin
from email_consumer.ledger.decision import Policy
from email_consumer.ledger.sqlite import SqliteLedger
from email_consumer.message import EmailMessage
from email_consumer.outcome import (
    Busy,
    Duplicate,
    Exhausted,
    Failed,
    InDoubt,
    Interrupted,
    Parked,
    Rejected,
    Sent,
    Stopped,
    StopReason,
    Throttled,
)
from email_consumer.store.database import StoreError, open_database

ORIGIN = Origin("nats", "messages:1", 1, 0.0)


def mail(uuid: str = "u-1", **fields: object) -> EmailMessage:
    return EmailMessage.model_validate({"uuid": uuid, "email": "a@example.com", "subject": "s", "body": "b", **fields})


@asynccontextmanager
async def open_ledger(
    path: Path, *, stopped: Stopped | None = None, grace: float = 0.0, in_doubt: str = "resend", ttl: float = 3600
) -> AsyncIterator[SqliteLedger]:
    policy = Policy(ttl, in_doubt, grace, max_attempts=3)  # type: ignore[arg-type]
    async with open_database(path) as database:
        ledger = SqliteLedger(database, lambda _message, _origin: stopped, policy)
        async with ledger.running():
            yield ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "email.db"


def row(path: Path, uuid: str = "u-1") -> sqlite3.Row:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        found: sqlite3.Row = connection.execute("SELECT * FROM email_requests WHERE uuid = ?", (uuid,)).fetchone()
        return found


async def test_a_sent_mail_is_a_duplicate_also_after_a_restart(path: Path) -> None:
    async with open_ledger(path) as ledger:
        claim = await ledger.claim(mail(), ORIGIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 1
        assert claim.deadline > asyncio.get_running_loop().time()
        assert await ledger.claim(mail(), ORIGIN) == Busy()
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
        assert ledger.knows_finished("u-1")
    async with open_ledger(path) as ledger:
        assert not ledger.knows_finished("u-1")
        assert await ledger.claim(mail(), ORIGIN) == Duplicate()
    assert (row(path)["status"], row(path)["message_id"], row(path)["attempts"]) == (2, "ses-1", 1)


async def test_failures_spend_attempts_and_throttles_do_not(path: Path) -> None:
    async with open_ledger(path) as ledger:
        for outcome, expected in [
            (Failed("503"), 1),
            (Throttled("slow down"), 2),
            (Interrupted(), 2),
            (Failed("503"), 2),
            (Exhausted("503"), 3),
        ]:
            claim = await ledger.claim(mail(), ORIGIN)
            assert isinstance(claim, Claim)
            assert claim.attempt == expected
            await ledger.finish(mail(), outcome, ORIGIN)
        assert await ledger.claim(mail(), ORIGIN) == Duplicate()
    assert (row(path)["status"], row(path)["attempts"], row(path)["error"]) == (3, 3, "503")
    with sqlite3.connect(path) as connection:
        history = connection.execute("SELECT outcome FROM email_attempts ORDER BY id").fetchall()
    assert history == [("failed",), ("failed",), ("exhausted",)]


async def test_what_a_dead_process_had_in_hand_is_in_doubt_then_resent(path: Path) -> None:
    async with open_ledger(path) as ledger:
        await ledger.claim(mail(), ORIGIN)
    async with open_ledger(path, grace=1000) as ledger:
        assert isinstance(await ledger.claim(mail(), ORIGIN), InDoubt)
    async with open_ledger(path, grace=0) as ledger:
        claim = await ledger.claim(mail(), ORIGIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 2


async def test_park_buries_what_stays_in_doubt(path: Path) -> None:
    async with open_ledger(path, in_doubt="park") as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), InDoubt("read time-out"), ORIGIN)
        parked = await ledger.claim(mail(), ORIGIN)
        assert isinstance(parked, Parked)
        await ledger.finish(mail(), parked, ORIGIN)
        assert await ledger.claim(mail(), ORIGIN) == Duplicate()
    assert row(path)["status"] == 3


async def test_a_replayed_dead_letter_reopens_its_uuid_once(path: Path) -> None:
    replay = Origin("nats", "messages:2", 2, 0.0, replay_of="messages-dead:1")
    async with open_ledger(path) as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Rejected("no"), ORIGIN)
        assert isinstance(await ledger.claim(mail(), replay), Claim)
        await ledger.finish(mail(), Rejected("no"), replay)
        assert await ledger.claim(mail(), replay) == Duplicate()


async def test_an_expired_uuid_gets_a_new_row_and_keeps_the_old_one(path: Path) -> None:
    async with open_ledger(path, ttl=0.001) as ledger:
        for message_id in ("ses-1", "ses-2"):
            assert isinstance(await ledger.claim(mail(topic_id="t"), ORIGIN), Claim)
            await ledger.finish(mail(), Sent(message_id), ORIGIN)
            with sqlite3.connect(path) as connection:
                connection.execute("UPDATE email_requests SET finished_at = finished_at - 1")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT message_id FROM email_requests ORDER BY id").fetchall() == [("ses-1",), ("ses-2",)]
        assert connection.execute("SELECT status, count FROM topic_counts WHERE count > 0").fetchall() == [(2, 2)]


async def test_a_stopped_mail_is_recorded_without_a_claim(path: Path) -> None:
    stopped = Stopped(StopReason.SUPPRESSED, "hard bounce")
    async with open_ledger(path, stopped=stopped) as ledger:
        assert await ledger.claim(mail(), ORIGIN) == stopped
        await ledger.finish(mail(), stopped, ORIGIN)
    assert (row(path)["status"], row(path)["error"]) == (4, "suppressed: hard bounce")


async def test_scheduling_keeps_each_content_once(path: Path) -> None:
    later = {"scheduled_at": "2099-01-01T00:00:00Z", "headers": {"X-A": "1"}}
    async with open_ledger(path) as ledger:
        kept = await asyncio.gather(*(ledger.schedule(mail(f"u-{n}", **later), ORIGIN) for n in range(10)))
        assert all(kept)
        assert not await ledger.schedule(mail("u-3", **later), ORIGIN)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT content_id) FROM email_requests").fetchone() == (10, 1)
        assert connection.execute("SELECT subject, content, extra FROM email_contents").fetchall() == [
            ("s", "b", '{"headers":{"X-A":"1"}}')
        ]


async def test_a_group_shares_one_commit(path: Path) -> None:
    async with open_ledger(path) as ledger:
        commits = 0
        commit = ledger._database._writer.commit

        async def counting() -> None:
            nonlocal commits
            commits += 1
            await commit()

        ledger._database._writer.commit = counting  # type: ignore[method-assign]
        answers = await asyncio.gather(*(ledger.claim(mail(f"u-{n}"), ORIGIN) for n in range(500)))
        assert all(isinstance(answer, Claim) for answer in answers)
        assert commits == 1


async def test_a_locked_file_holds_claims_until_it_is_free(path: Path) -> None:
    async with open_ledger(path) as ledger:
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            claiming = asyncio.create_task(ledger.claim(mail(), ORIGIN))
            started = time.monotonic()
            done, _ = await asyncio.wait([claiming], timeout=2.5)  # longer than the busy time-out
            assert not done
            assert time.monotonic() - started >= 2.4
            other.execute("ROLLBACK")
        assert isinstance(await claiming, Claim)


async def test_one_process_at_a_time(path: Path) -> None:
    async with open_database(path):
        with pytest.raises(StoreError, match="in use by another email-consumer"):
            async with open_database(path):
                pytest.fail("opened twice")


async def test_a_file_of_a_newer_program_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreError, match="newer email-consumer"):
        async with open_database(path):
            pytest.fail("opened a newer file")


async def test_a_damaged_file_is_refused_in_plain_words(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreError, match="DB_PATH: can't use"):
        async with open_database(path):
            pytest.fail("opened nonsense")
