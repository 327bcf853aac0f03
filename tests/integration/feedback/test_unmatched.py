"""Events that come before the mail they are about is known."""

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from email_consumer.core.outcome import Duplicate, Sent
from email_consumer.feedback.inbox import Reception
from email_consumer.feedback.unmatched import TTL, UnmatchedEvents
from email_consumer.store.status import Status
from tests.integration.feedback.stage import event, open_stage


async def test_an_event_without_our_tags_waits_for_ses_message_id(path: Path) -> None:
    async with open_stage(path) as stage:
        await stage.claim(topic_id="t")
        assert await stage.take(event("Delivery", None), "sns-1") is Reception.UNMATCHED
        assert await stage.inbox.unmatched.sweep() == 0
        await stage.finish(Sent("ses-1"), topic_id="t")
        assert await stage.inbox.unmatched.sweep() == 1
        assert await stage.inbox.unmatched.sweep() == 0
        assert stage.rows("SELECT status, recipient FROM email_results") == [("Delivery", "jane@example.com")]
        assert stage.rows("SELECT kind, count FROM topic_results") == [("Delivery", 1)]
        assert await stage.take(event("Delivery", None), "sns-1") is Reception.DUPLICATE


async def test_a_tagged_event_waits_for_its_row_and_settles_it(path: Path) -> None:
    async with open_stage(path) as stage:
        assert await stage.take(event("Send")) is Reception.UNMATCHED
        assert [proven.tag for proven in stage.proven] == ["u-1"]
        await stage.claim()
        assert await stage.inbox.unmatched.sweep() == 1
        assert stage.rows("SELECT status FROM email_requests") == [(Status.SENT,)]
        assert stage.inbox.counts.settled == 1
        assert await stage.claim() == Duplicate()


async def test_what_was_kept_and_can_not_be_read_any_more_holds_no_other_up(path: Path) -> None:
    async with open_stage(path) as stage:
        await stage.take(event("Send"))
        with sqlite3.connect(path) as connection:
            connection.execute(
                "INSERT INTO unmatched_events (message_id, tag, received_at, raw) VALUES ('m', 'u-1', 1, '{}'), ('m', 'u-1', 1, 'x')"
            )
        await stage.claim()
        assert await stage.inbox.unmatched.sweep() == 1
        assert stage.inbox.counts.settled == 1
        assert stage.rows("SELECT * FROM unmatched_events") == []


async def test_it_happens_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_consumer.feedback.inbox._HOUSEKEEPING", 0.01)
    async with open_stage(path) as stage:
        await stage.take(event("Send"))
        await stage.claim()
        while not stage.inbox.counts.settled:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def test_only_so_many_are_kept_and_only_for_a_day(path: Path) -> None:
    async with open_stage(path) as stage:
        stage.inbox.unmatched = UnmatchedEvents(stage.database, stage.inbox._rows, stage.inbox._tell, most=3)
        for number in range(5):
            await stage.take(event("Send", f"u-{number}"))
        assert stage.rows("SELECT tag FROM unmatched_events ORDER BY id") == [("u-2",), ("u-3",), ("u-4",)]
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE unmatched_events SET received_at = received_at - ? WHERE tag <> 'u-4'", (TTL,))
        async with stage.database.transaction() as transaction:
            await stage.inbox.unmatched.expire(transaction, time.time())
        assert stage.rows("SELECT tag FROM unmatched_events") == [("u-4",)]
