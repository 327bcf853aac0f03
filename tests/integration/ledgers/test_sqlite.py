"""What only the ledger in SQLite has: content kept once, group commits, a file that may be locked or damaged."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import Duplicate, InDoubt, Scheduled
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.store.database import StoreError, open_database
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import SqliteBackend


@asynccontextmanager
async def open_ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    async with SqliteBackend(path).open() as ledger:
        yield ledger


async def test_scheduling_keeps_each_content_once(path: Path) -> None:
    later = {"scheduled_at": "2099-01-01T00:00:00Z", "headers": {"X-A": "1"}}
    async with open_ledger(path) as ledger:
        kept = await asyncio.gather(*(ledger.schedule(mail(f"u-{n}", **later), ORIGIN) for n in range(10)))
        assert kept == [Scheduled()] * 10
        assert await ledger.schedule(mail("u-3", **later), ORIGIN) == Duplicate()
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("SELECT count(*), count(DISTINCT content_id) FROM email_requests").fetchone() == (
            10,
            1,
        )
        assert connection.execute("SELECT subject, content, extra FROM email_contents").fetchall() == [
            ("s", "b", '{"headers":{"X-A":"1"}}')
        ]


async def test_a_group_shares_one_commit(path: Path) -> None:
    async with open_ledger(path) as ledger:
        statements: list[str] = []
        await ledger._database._writer.set_trace_callback(statements.append)
        answers = await asyncio.gather(*(ledger.claim(mail(f"u-{n}"), ORIGIN) for n in range(500)))
        assert all(isinstance(answer, Claim) for answer in answers)
        assert statements.count("COMMIT") == 1


async def test_doubts_do_not_wait_for_a_clock_that_was_ahead(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    ahead = 86_400.0
    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    async with SqliteBackend(path).open() as ledger:  # at the start, and when an event could not be taken
        for expected_from_now in (False, True):
            uuid, ahead = f"u-{expected_from_now}", 86_400.0
            if expected_from_now:
                ledger.events_expected_from(time.time())
            ahead = 0.0  # put back
            await ledger.claim(mail(uuid), ORIGIN)
            await ledger.finish(mail(uuid), InDoubt("no answer"), ORIGIN)
            assert isinstance(await ledger.claim(mail(uuid), ORIGIN), Claim)


async def test_the_memory_of_finished_mail_is_bounded(path: Path) -> None:
    async with open_ledger(path) as ledger:
        for number in range(10_001):
            message = mail(f"u-{number}")
            ledger._remember(message)
        assert ledger.known(mail("u-0")) is None
        assert ledger.known(mail("u-1")) == Duplicate()
        assert ledger.known(mail("u-10000")) == Duplicate()


async def test_a_locked_file_holds_claims_until_it_is_free(path: Path) -> None:
    async with open_ledger(path) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as other, other:
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
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreError, match="newer email-consumer"):
        async with open_database(path):
            pytest.fail("opened a newer file")


async def test_a_damaged_file_is_refused_in_plain_words(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)  # noqa: ASYNC240 - nothing else runs
    with pytest.raises(StoreError, match="DB_PATH: can't use"):
        async with open_database(path):
            pytest.fail("opened nonsense")
