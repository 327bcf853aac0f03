"""Events that come before the mail they are about is known."""

import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from email_consumer.core.outcome import Duplicate, Scheduled, Sent
from email_consumer.feedback.inbox import Reception
from email_consumer.feedback.unmatched import TTL, UnmatchedEvents
from email_consumer.store.status import Status
from tests.factories import ORIGIN, event, mail
from tests.integration.feedback.harness import FeedbackHarness, open_harness


async def test_an_event_without_our_tags_waits_for_ses_message_id(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.claim(topic_id="t")
        assert await harness.take(event("Delivery", None), "sns-1") is Reception.UNMATCHED
        assert await harness.inbox.unmatched.sweep() == 0
        await harness.finish(Sent("ses-1"), topic_id="t")
        assert await harness.inbox.unmatched.sweep() == 1
        assert await harness.inbox.unmatched.sweep() == 0
        assert harness.rows("SELECT status, recipient FROM email_results") == [("Delivery", "jane@example.com")]
        assert harness.rows("SELECT kind, count FROM topic_results") == [("Delivery", 1)]
        assert await harness.take(event("Delivery", None), "sns-1") is Reception.DUPLICATE


async def test_a_tagged_event_waits_for_its_row_and_settles_it(path: Path) -> None:
    async with open_harness(path) as harness:
        assert await harness.take(event("Send")) is Reception.UNMATCHED
        assert [proven.tag for proven in harness.proven] == ["u-1"]
        await harness.claim()
        assert await harness.inbox.unmatched.sweep() == 1
        assert harness.rows("SELECT status FROM email_requests") == [(Status.SENT,)]
        assert harness.inbox.counts.settled == 1
        assert await harness.claim() == Duplicate()


@pytest.mark.parametrize("row_first", [False, True])
async def test_an_earlier_mail_with_its_uuid_is_not_the_one_it_waits_for(path: Path, row_first: bool) -> None:
    async with open_harness(path) as harness:
        harness.lives["u-1"] = 20
        if row_first:
            await _shown(harness, 10)
        assert await harness.take(event("Send")) is Reception.UNMATCHED
        if not row_first:
            await _shown(harness, 10)
        assert await harness.inbox.unmatched.sweep() == 0
        assert harness.rows("SELECT status FROM email_requests") == [(Status.PROCESSED,)]
        async with harness.database.transaction() as connection:
            await connection.execute("UPDATE email_requests SET revision = 20")
        assert await harness.inbox.unmatched.sweep() == 1
        assert harness.rows("SELECT status FROM email_requests") == [(Status.SENT,)]


@pytest.mark.parametrize("row_first", [False, True])
async def test_an_event_about_a_mail_that_is_forgotten_does_not_settle_the_next_one_with_its_uuid(
    path: Path, row_first: bool
) -> None:
    later = mail("digest-42", scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    opened = event("Open", "digest-42", message_id="ses-of-last-week")
    async with open_harness(path) as harness:
        if not row_first:
            assert await harness.take(opened) is Reception.UNMATCHED
        assert await harness.ledger.schedule(later, ORIGIN) == Scheduled()
        if row_first:
            assert await harness.take(opened) is Reception.UNMATCHED
        await harness.inbox.unmatched.sweep()
        assert harness.rows("SELECT status FROM email_requests") == [(Status.CREATED,)]
        assert harness.rows("SELECT * FROM email_results") == []


async def _shown(harness: FeedbackHarness, revision: int) -> None:
    """A row as the sidecar writes it from an outcome."""
    await harness.claim()
    async with harness.database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET revision = ?", (revision,))


async def test_what_was_kept_and_can_not_be_read_any_more_holds_no_other_up(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.take(event("Send"))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "INSERT INTO unmatched_events (message_id, tag, received_at, raw) VALUES ('m', 'u-1', 1, '{}'), ('m', 'u-1', 1, 'x')"
            )
        await harness.claim()
        assert await harness.inbox.unmatched.sweep() == 1
        assert harness.inbox.counts.settled == 1
        assert harness.rows("SELECT * FROM unmatched_events") == []


async def test_it_happens_automatically(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_consumer.feedback.inbox._HOUSEKEEPING_INTERVAL", 0.01)
    async with open_harness(path) as harness:
        await harness.take(event("Send"))
        await harness.claim()
        while not harness.inbox.counts.settled:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def test_their_number_is_bounded_and_they_are_kept_for_a_day(path: Path) -> None:
    async with open_harness(path) as harness:
        harness.inbox.unmatched = UnmatchedEvents(
            harness.database, harness.inbox._rows, harness.inbox._publish, life=harness.inbox._life, max_events=3
        )
        for number in range(5):
            await harness.take(event("Send", f"u-{number}"))
        assert harness.rows("SELECT tag FROM unmatched_events ORDER BY id") == [("u-2",), ("u-3",), ("u-4",)]
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE unmatched_events SET received_at = received_at - ? WHERE tag <> 'u-4'", (TTL,))
        async with harness.database.transaction() as transaction:
            await harness.inbox.unmatched.expire(transaction, time.time())
        assert harness.rows("SELECT tag FROM unmatched_events") == [("u-4",)]
