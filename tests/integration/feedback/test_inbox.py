"""Events applied to the mails they are about, on a real SQLite file."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import (
    Duplicate,
    Exhausted,
    Failed,
    InDoubt,
    Outcome,
    Parked,
    Stopped,
    StopReason,
    Throttled,
)
from email_consumer.feedback import inbox as inbox_module
from email_consumer.feedback.inbox import Reception
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.store.status import Status
from tests.factories import event
from tests.integration.feedback.harness import open_harness
from tests.waiting import until


@pytest.mark.parametrize(
    ("outcome", "attempts"),
    [(None, 1), (InDoubt("read time-out"), 1), (Failed("503"), 1), (Throttled("429"), 0), (Exhausted("503"), 1)],
)
async def test_any_event_proves_that_ses_accepted_the_mail(path: Path, outcome: Outcome | None, attempts: int) -> None:
    async with open_harness(path) as harness:
        await harness.claim()
        if outcome:
            await harness.finish(outcome)
        assert await harness.take(event("Send")) is Reception.APPLIED
        row = harness.rows("SELECT status, message_id, in_doubt, attempts, error FROM email_requests")
        assert row == [(Status.SENT, "ses-1", 0, attempts, None)]
        assert await harness.claim() == Duplicate()
        assert harness.inbox.counts.settled == 1
        await harness.finish(Failed("the answer was lost"))  # an attempt that was under way may not undo it
        assert harness.rows("SELECT status FROM email_requests") == [(Status.SENT,)]


async def test_mail_that_was_parked_turns_out_to_be_sent(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.claim()
        await harness.finish(InDoubt("killed"))
        await harness.finish(Parked("no event came"))
        await harness.take(event("Delivery"))
        assert harness.rows("SELECT status, finished_at NOT NULL FROM email_requests") == [(Status.SENT, 1)]
        assert harness.rows("SELECT sum(count) FROM sent_minutes") == [(1,)]


async def test_a_mail_in_doubt_of_a_dead_process_is_settled_by_its_event(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.claim()
    async with open_harness(path) as harness:
        assert isinstance(await harness.claim(), InDoubt)
        await harness.take(event("Send"))
        assert await harness.claim() == Duplicate()


async def test_mail_that_was_cancelled_while_in_doubt_turns_out_to_be_sent(path: Path) -> None:
    async with open_harness(path) as harness:
        async with harness.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO cancellations (topic_id, sequence, cancelled_at) VALUES ('t', 9, 1.0)"
            )
        for uuid in ("u-1", "u-2"):
            await harness.claim(uuid, topic_id="t")
            await harness.finish(InDoubt("cut"), uuid, topic_id="t")
            await harness.finish(Stopped(StopReason.CANCELLED), uuid, topic_id="t")
        await harness.take(event("Send"))
        rows = harness.rows("SELECT status, message_id, attempts, error FROM email_requests ORDER BY uuid")
        assert rows == [(Status.SENT, "ses-1", 1, None), (Status.STOPPED, None, 1, "cancelled")]
        assert harness.inbox.counts.settled == 1
        assert harness.rows("SELECT cancelled FROM cancellations") == [(1,)], "the receipt tells the truth too"


async def test_what_is_known_as_sent_stays_so(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        await harness.take(event("Send"))
        assert harness.rows("SELECT uuid, status FROM email_requests") == [("u-1", Status.SENT)]
        assert harness.inbox.counts.settled == 0


async def test_what_ses_accepted_and_then_dropped_is_logged(path: Path) -> None:
    """It stays Sent, since SES counted it; its results say what became of it."""
    async with open_harness(path) as harness:
        with capture_logs() as logs:
            for number, kind in enumerate(("Reject", "Rendering Failure")):
                await harness.send(f"u-{number}", f"ses-{number}")
                await harness.take(event(kind, f"u-{number}", message_id=f"ses-{number}", reason="Bad content"))
        logged = [
            (line["uuid"], line["kind"], line["log_level"]) for line in logs if line["event"] == "mail.dropped_by_ses"
        ]
        assert logged == [("u-0", "Reject", "warning"), ("u-1", "Rendering Failure", "warning")]
        assert harness.rows("SELECT status FROM email_results") == [("Reject",), ("Rendering Failure",)]


async def test_the_same_message_of_sns_is_applied_once_also_after_a_restart(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        assert await harness.take(event("Delivery"), "sns-1") is Reception.APPLIED
        assert await harness.take(event("Delivery"), "sns-1") is Reception.DUPLICATE
    async with open_harness(path) as harness:
        assert await harness.take(event("Delivery"), "sns-1") is Reception.DUPLICATE
        assert harness.rows("SELECT count(*) FROM email_results") == [(1,)]


async def test_a_mail_is_found_by_tag_header_or_ses_message_id(path: Path) -> None:
    header = '{"eventType":"Delivery","mail":{"messageId":"x","headers":[{"name":"x-request-id","value":"u-2"}]},'
    header += '"delivery":{"recipients":["b@example.com"]}}'
    notification = '{"notificationType":"Delivery","mail":{"messageId":"ses-3"},'
    notification += '"delivery":{"recipients":["c@example.com"]}}'
    async with open_harness(path) as harness:
        for number in (1, 2, 3, 4):
            await harness.send(f"u-{number}", f"ses-{number}")
        await harness.send("häng 5", "ses-5")  # a uuid that tags can't carry goes as its hash
        await harness.take(event("Delivery", "u-1", message_id="other"))
        await harness.take(header)
        await harness.take(notification)
        [(tag,)] = harness.rows("SELECT tag FROM email_requests WHERE tag IS NOT NULL")
        await harness.take(event("Delivery", tag, message_id="other"))
        found = harness.rows(
            "SELECT uuid FROM email_results JOIN email_requests ON request_id = email_requests.id ORDER BY email_results.id"
        )
        assert found == [("u-1",), ("u-2",), ("u-3",), ("häng 5",)]


async def test_a_late_event_of_an_earlier_mail_with_the_same_uuid_does_not_settle_the_newer_one(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE email_requests SET finished_at = -3600")  # its idempotency window is over
        assert isinstance(await harness.claim(), Claim)
        await harness.take(event("Delivery"))
        assert harness.rows("SELECT status FROM email_requests ORDER BY id") == [(Status.SENT,), (Status.PROCESSED,)]


async def test_events_of_another_installation_are_dropped(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        assert await harness.take(event("Bounce", instance="staging")) is Reception.FOREIGN
        assert harness.rows("SELECT count(*) FROM email_results") == [(0,)]
        assert await harness.suppressions.page(10) == []
        assert harness.inbox.counts.receptions[Reception.FOREIGN] == 1


async def test_each_recipient_gets_its_own_result_and_counts_once_for_the_topic(path: Path) -> None:
    to = ["jane@example.com", "Joe <joe@example.com>"]
    async with open_harness(path) as harness:
        await harness.send(topic_id="t", cc=["joe@example.com"])
        await harness.take(event("Delivery", to=to))
        await harness.take(event("Open", to=to))  # nobody knows whose it was
        await harness.take(event("Open", to=to, at=2.0))
        await harness.take(event("Open", to=to, isBot=True))
        results = harness.rows("SELECT status, recipient, machine, raw <> '{}' FROM email_results ORDER BY id")
        assert results == [
            ("Delivery", "jane@example.com", 0, 1),
            ("Delivery", "joe@example.com", 0, 0),
            ("Open", "jane@example.com", 0, 1),
            ("Open", "jane@example.com", 0, 1),
            ("Open", "jane@example.com", 1, 1),
        ]
        counts = harness.rows("SELECT kind, count FROM topic_results ORDER BY kind")
        assert counts == [("Delivery", 2), ("MachineOpen", 1), ("Open", 1)]


async def test_a_locked_database_is_said_to_be_ours_and_nothing_is_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "_TIMEOUT", 0.2)
    async with open_harness(path) as harness:
        await harness.claim()
        with closing(sqlite3.connect(path, isolation_level=None)) as other, other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(MessageRefusedError, match="accepts no writes") as caught:
                await harness.take(event("Bounce"), "sns-1")
            assert caught.value.status == 503
            other.execute("ROLLBACK")
        monkeypatch.setattr(inbox_module, "_TIMEOUT", 30)
        assert await harness.take(event("Bounce"), "sns-1") is Reception.DUPLICATE, (
            "it was written once the lock was gone"
        )
        assert harness.inbox.counts.settled == 1
        assert harness.gate.suppressed.reason("jane@example.com") == "hard bounce"
        assert await harness.claim() == Duplicate()


@pytest.mark.parametrize("age", [40 * 86_400, -365 * 86_400], ids=["old", "of a clock that was ahead"])
async def test_messages_are_forgotten_however_many_there_are(
    path: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    pauses = iter([0.5])  # one round of housekeeping
    monkeypatch.setattr(inbox_module, "until_tick", lambda _: next(pauses, 3_600.0))
    async with open_harness(path) as harness:
        async with harness.database.transaction() as connection:
            rows = [(str(number), time.time() - age) for number in range(5_000)]
            await connection.executemany("INSERT INTO sns_messages (message_id, received_at) VALUES (?, ?)", rows)
        await harness.take(event("Send"), "new")
        await until(lambda: harness.rows("SELECT message_id FROM sns_messages") == [("new",)])
