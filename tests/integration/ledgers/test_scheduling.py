"""Mail that is due later, from a worker to the sidecar's keeping."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.ledger import Claim, Origin, TooLargeToKeepError
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Duplicate, Failed, Interrupted, Rejected, Scheduled, Sent, Stopped, StopReason
from email_consumer.core.unsent import Unsent
from email_consumer.ledgers.jetstream.scheduling import ScheduledMail
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.rule import Stopper
from email_consumer.message.model import EmailMessage, decode
from email_consumer.message.times import from_unix
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from email_consumer.store.database import open_database
from email_consumer.store.erasure import erase
from tests.factories import ORIGIN, FakeDelivery, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, policy, query
from tests.integration.ledgers.sidecar import drain

LATER: dict[str, Any] = {"scheduled_at": "2099-01-01T00:00:00Z", "headers": {"X-A": "1"}}


def passing(_message: EmailMessage, _origin: Origin) -> None:
    """Nothing is cancelled."""


async def test_it_is_kept_once_each_content_once(jetstream: JetStreamBackend, path: Path) -> None:
    async with jetstream.open() as ledger:
        kept = await asyncio.gather(*(ledger.schedule(mail(f"u-{n}", **LATER), ORIGIN) for n in range(10)))
        assert kept == [Scheduled()] * 10
    await keep(jetstream, path)
    (row,) = query(
        path, "SELECT count(*), count(DISTINCT content_id), max(scheduled_at), max(source) FROM email_requests"
    )
    assert tuple(row) == (10, 1, 4070908800.0, "nats")
    (content,) = query(path, "SELECT subject, content, extra FROM email_contents")
    assert tuple(content) == ("s", "b", '{"headers":{"X-A":"1"}}')


async def test_the_latest_time_that_a_message_can_have_is_kept(jetstream: JetStreamBackend, path: Path) -> None:
    latest = "9998-12-31T23:59:59.9999999Z"
    async with jetstream.open() as ledger:
        assert await ledger.schedule(mail("u-1", scheduled_at=latest), ORIGIN) == Scheduled()
    await keep(jetstream, path)
    (row,) = query(path, "SELECT scheduled_at FROM email_requests")
    assert from_unix(row[0]).year >= 9998


async def test_a_copy_from_long_ago_is_not_kept_twice(jetstream: JetStreamBackend, path: Path) -> None:
    async with jetstream.open() as ledger:
        await ledger.schedule(mail("u-1", **LATER), ORIGIN)
        await keep(jetstream, path)
        await jetstream.client.jetstream().delete_stream(Names(STREAM).scheduled)  # forgets what it has seen
        await jetstream.ensure_streams()
        assert await ledger.schedule(mail("u-1", **LATER), ORIGIN) == Scheduled()
    await keep(jetstream, path)
    assert len(query(path, "SELECT * FROM email_requests")) == 1


async def test_a_copy_that_comes_after_an_erasure_brings_no_content_back(
    jetstream: JetStreamBackend, path: Path
) -> None:
    async with jetstream.open() as ledger:
        await ledger.schedule(mail("u-1", **LATER), ORIGIN)
        await keep(jetstream, path)
        async with open_database(path) as database:
            await erase(database, "a@example.com")
        await jetstream.client.jetstream().delete_stream(Names(STREAM).scheduled)  # forgets what it has seen
        await jetstream.ensure_streams()
        assert await ledger.schedule(mail("u-1", **LATER), ORIGIN) == Scheduled()
    await keep(jetstream, path)
    assert query(path, "SELECT * FROM email_contents") == []


async def test_the_only_copy_is_kept_though_somebody_tried_the_mail_meanwhile(
    jetstream: JetStreamBackend, path: Path
) -> None:
    """A suspended worker has an earlier delivery, and by the time it wakes up the mail is due."""
    async with jetstream.open() as ledger, jetstream.open() as woken:
        assert await ledger.schedule(mail("u-1", **LATER), ORIGIN) == Scheduled()
        assert isinstance(await woken.claim(mail("u-1", **LATER), ORIGIN), Claim)
        await woken.finish(mail("u-1", **LATER), Interrupted(), ORIGIN)
        await jetstream.query("SELECT 1")  # brings the outcome into the tables
    await keep(jetstream, path)
    ((status, scheduled_at, subject),) = query(
        path, "SELECT status, scheduled_at, s.subject FROM email_requests JOIN email_contents AS s ON s.id = content_id"
    )
    assert (status, scheduled_at, subject) == (0, 4070908800.0, "s")


async def test_a_uuid_is_scheduled_again_once_its_window_is_over(jetstream: JetStreamBackend, path: Path) -> None:
    async with jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
        await jetstream.query("SELECT 1")  # brings the outcome into the tables
        bucket = await jetstream.client.jetstream().key_value(Names(STREAM).bucket)
        await bucket.delete("u-1")
        for stored_at in (time.time() - 1000, time.time() + 1):  # the same delivery again, and a new one
            await publish_again(jetstream, replace(ORIGIN, stored_at=stored_at))
            await keep(jetstream, path)
    rows = query(path, "SELECT uuid, status FROM email_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("u-1\0001", 2), ("u-1", 0)]


async def test_a_late_outcome_of_a_former_life_does_not_touch_what_waits(
    jetstream: JetStreamBackend, path: Path
) -> None:
    """Failed, put right and published again for later, before the sidecar heard of any of it; it hears in any order."""
    again = mail("u-1", email="right@example.com", **LATER)
    async with jetstream.open() as ledger:
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), Rejected("no such domain"), ORIGIN)
        assert await ledger.schedule(again, replace(ORIGIN, reference="messages:2")) == Scheduled()
    await keep(jetstream, path)
    await jetstream.query("SELECT 1")
    rows = query(path, "SELECT uuid, email, status FROM email_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("u-1", "right@example.com", 0)]


async def test_a_former_life_whose_outcome_is_known_keeps_its_row(jetstream: JetStreamBackend, path: Path) -> None:
    again = mail("u-1", email="right@example.com", **LATER)
    async with jetstream.open() as ledger:
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), Rejected("no such domain"), ORIGIN)
        await jetstream.query("SELECT 1")
        assert await ledger.schedule(again, replace(ORIGIN, reference="messages:2")) == Scheduled()
        await keep(jetstream, path)
        assert isinstance(await ledger.claim(again, replace(ORIGIN, kept=True)), Claim)
        await ledger.finish(again, Sent("ses-1"), ORIGIN)
    rows = await jetstream.query("SELECT uuid, email, status FROM email_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("u-1\0001", "a@example.com", 3), ("u-1", "right@example.com", 2)]


async def test_it_waits_for_the_outcome_of_a_former_life_that_the_tables_still_show_as_open(
    jetstream: JetStreamBackend, path: Path
) -> None:
    async with jetstream.open() as ledger:
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), Failed("503"), ORIGIN)
        await jetstream.query("SELECT 1")
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), Rejected("no such domain"), ORIGIN)
        again = mail("u-1", email="right@example.com", **LATER)
        assert await ledger.schedule(again, replace(ORIGIN, reference="messages:2")) == Scheduled()
    await keep(jetstream, path)
    assert [row["status"] for row in query(path, "SELECT status FROM email_requests")] == [0]
    await jetstream.query("SELECT 1")
    await keep(jetstream, path)  # it comes again
    rows = query(path, "SELECT email, status FROM email_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("a@example.com", 3), ("right@example.com", 0)]


async def test_it_does_not_wait_for_ever_for_an_outcome_that_got_lost(jetstream: JetStreamBackend, path: Path) -> None:
    async with jetstream.open() as ledger:
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), Failed("503"), ORIGIN)
        await jetstream.query("SELECT 1")
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), Rejected("no such domain"), ORIGIN)
        await jetstream.client.jetstream().purge_stream(Names(STREAM).outcomes)
        again = mail("u-1", email="right@example.com", **LATER)
        await ledger.schedule(again, replace(ORIGIN, reference="messages:2"))
    stored = await jetstream.client.jetstream().get_msg(Names(STREAM).scheduled, seq=1)
    async with open_database(path) as database:
        scheduled = ScheduledMail(
            database,
            passing,
            dead_letters(jetstream),
            Unsent(Metrics()),
            dead_letter_writer=DeadLetterWriter(),
            kept=lambda: None,
            idempotency_ttl=1,
        )
        async with scheduled.running():
            for received, call in ((60, "nak 1"), (61, "ack")):
                delivery = FakeDelivery(stored.data or b"", headers=stored.headers or {}, received=received)
                await scheduled.handle(delivery)
                assert delivery.calls == [call]
    rows = query(path, "SELECT uuid, email, status FROM email_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("u-1\0001", "a@example.com", 0), ("u-1", "right@example.com", 0)]


async def test_a_worker_that_died_before_it_had_passed_the_mail_on_loses_nothing(
    jetstream: JetStreamBackend, path: Path
) -> None:
    """Its record says already that the uuid waits: the same delivery goes on from there, another one is a duplicate."""
    later = mail("u-1", **LATER)
    async with jetstream.open() as ledger:
        await ledger.schedule(later, ORIGIN)
        await jetstream.client.jetstream().purge_stream(Names(STREAM).scheduled)
        assert await ledger.schedule(later, replace(ORIGIN, reference="messages:2")) == Duplicate()
        assert await ledger.schedule(later, replace(ORIGIN, received=2)) == Scheduled()
    await keep(jetstream, path)
    assert len(query(path, "SELECT * FROM email_requests")) == 1


async def test_a_uuid_that_waits_is_forgotten_a_window_after_its_time(jetstream: JetStreamBackend) -> None:
    """Its mail may be cancelled in the sidecar's keeping, where no worker hears of it."""
    due = datetime.now(UTC) + timedelta(hours=1)
    async with jetstream.open(policy(ttl=60)) as ledger:
        await ledger.schedule(mail("u-1", scheduled_at=due.isoformat()), ORIGIN)
    names = Names(STREAM)
    record = await jetstream.client.jetstream().get_msg(names.bucket_stream, subject=names.key("u-1"))
    assert 3600 < int((record.headers or {})["Nats-TTL"]) <= 3661


async def test_a_mail_for_others_that_reaches_the_keeping_is_a_dead_letter(
    jetstream: JetStreamBackend, path: Path
) -> None:
    """As where the uuid is one that the API gave to a mail of its own."""
    async with jetstream.open() as ledger:
        await ledger.schedule(mail("u-1", **LATER), ORIGIN)
        await keep(jetstream, path)
        bucket = await jetstream.client.jetstream().key_value(Names(STREAM).bucket)
        await bucket.delete("u-1")
        others = mail("u-1", email="b@example.com", **LATER)
        assert await ledger.schedule(others, replace(ORIGIN, reference="messages:2")) == Scheduled()
    await keep(jetstream, path)
    [row] = query(path, "SELECT email FROM email_requests")
    assert row["email"] == "a@example.com"
    letter = await dead_letters(jetstream).get(1)
    assert (letter.kind, decode(letter.payload)) == ("conflict", others)


async def test_what_was_sent_is_not_scheduled(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as ledger:
        await ledger.claim(mail("u-1", **LATER), ORIGIN)
        await ledger.finish(mail("u-1", **LATER), Sent("ses-1"), ORIGIN)
        assert await ledger.schedule(mail("u-1", **LATER), ORIGIN) == Duplicate()


async def test_a_topic_cancelled_meanwhile_stops_it(jetstream: JetStreamBackend, path: Path) -> None:
    origin = Origin("nats", "messages:42", 42, 7.5)
    seen: list[Origin] = []

    def stopper(_message: EmailMessage, origin: Origin) -> Stopped:
        seen.append(origin)
        return Stopped(StopReason.CANCELLED)

    async with jetstream.open() as ledger:
        await ledger.schedule(mail("u-1", topic_id="t", **LATER), origin)
    await keep(jetstream, path, stopper)
    assert seen == [origin]
    (row,) = query(path, "SELECT status, error FROM email_requests")
    assert tuple(row) == (4, "cancelled")


async def test_a_mail_too_large_for_nats_is_refused_before_it_ends_the_connection(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as ledger:
        with pytest.raises(TooLargeToKeepError, match="max_payload"):
            await ledger.schedule(mail("u-1", **LATER, text="x" * jetstream.client.max_payload), ORIGIN)
        assert await ledger.schedule(mail("u-1", **LATER), ORIGIN) == Scheduled()


async def publish_again(jetstream: JetStreamBackend, origin: Origin) -> None:
    """Past the time that the stream remembers names for."""
    await jetstream.client.jetstream().delete_stream(Names(STREAM).scheduled)
    await jetstream.ensure_streams()
    async with jetstream.open() as ledger:
        assert await ledger.schedule(mail("u-1", **LATER), origin) == Scheduled()


async def keep(jetstream: JetStreamBackend, path: Path, stopper: Stopper = passing) -> None:
    """The sidecar takes all that is there into its keeping."""
    letters = dead_letters(jetstream)
    async with open_database(path) as database:
        scheduled = ScheduledMail(
            database,
            stopper,
            letters,
            Unsent(Metrics()),
            dead_letter_writer=DeadLetterWriter(),
            kept=lambda: None,
            idempotency_ttl=1,
        )
        async with scheduled.running():
            await drain(jetstream.client, Names(STREAM).scheduled, scheduled.handle)


def dead_letters(jetstream: JetStreamBackend) -> JetStreamDeadLetters:
    return JetStreamDeadLetters(jetstream.client, stream=STREAM, subject=f"{STREAM}.email", replicas=1)
