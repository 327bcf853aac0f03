"""The tables say the same, however often and in whatever order outcomes arrive."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from email_consumer.api.batch import Batch as Request
from email_consumer.api.batch import BatchMessage
from email_consumer.api.mail_store import MailStore
from email_consumer.core.dead_letters import DeadLetterKind
from email_consumer.core.mail_group import Tally
from email_consumer.core.outcome import Exhausted, Failed, Outcome, Sent, Stopped, StopReason
from email_consumer.ledgers.jetstream.mail_state import encode_state
from email_consumer.ledgers.jetstream.projection import Projection
from email_consumer.ledgers.jetstream.record import BucketEntry, ClaimRecord
from email_consumer.ledgers.jetstream.streams import projected
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, decode
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.store.database import Database
from email_consumer.store.status import Status
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, jetstream_backend, query
from tests.servers.nats import NatsServer

TABLES = """
SELECT uuid, status, attempts, error, message_id, finished_at, (SELECT count(*) FROM email_attempts WHERE request_id = mail.id)
FROM email_requests AS mail ORDER BY uuid
"""


@dataclass
class Batch:
    """One batch as the intake delivers it."""

    payload: bytes
    headers: dict[str, str] = field(default_factory=dict)
    source: str = "nats"
    reference: str = "messages-outcomes:1"
    stream: str = ""
    sequence: int = 1
    received: int = 1
    lane: Lane = Lane.BULK
    stored_at: float = 0.0
    acked: bool = False

    async def ack(self) -> None:
        self.acked = True

    async def nak(self, delay: float) -> None:
        raise AssertionError(delay)

    async def term(self) -> None:
        raise AssertionError

    async def in_progress(self) -> None:
        raise AssertionError


async def show(database: Database, *batches: bytes) -> list[tuple[Any, ...]]:
    """Each batch on its own; what the tables say then."""
    projection = Projection(database)
    async with projection.running():
        for payload in batches:
            batch = Batch(payload)
            await projection.handle(batch)
            assert batch.acked
    return [tuple(row) for row in query(database.path, TABLES)]


def attempt(uuid: str, outcome: Outcome, revision: int, life: int = 10, attempts: int = 0, **fields: object) -> bytes:
    message = mail(uuid, **fields)
    claim = ClaimRecord(Status.PROCESSED, "w-1", attempts, claimed_at=1.0, life=life, **message.fingerprint._asdict())
    claimed = BucketEntry(claim, revision - 1)
    record = claimed.finished(claimed, message.fingerprint, outcome, 100.0 + revision)
    return encode_state(message, ORIGIN, BucketEntry(record, revision), 100.0 + revision, keep_subject=True)


async def test_a_batch_that_comes_again_changes_nothing(database: Database) -> None:
    batch = attempt("u-1", Failed("503"), 11) + attempt("u-2", Sent("ses-2"), 12)
    once = await show(database, batch)
    assert once == [("u-1", 0, 1, "503", None, None, 1), ("u-2", 2, 1, None, "ses-2", 112.0, 0)]
    assert await show(database, batch, batch) == once


async def test_one_batch_may_hold_a_mail_twice(database: Database) -> None:
    batch = attempt("u-1", Failed("503"), 11) + attempt("u-1", Sent("ses-1"), 13, attempts=1)
    assert await show(database, batch) == [("u-1", 2, 2, None, "ses-1", 113.0, 1)]


async def test_the_latest_state_stands_in_any_order(database: Database) -> None:
    entries = [
        entry
        for number in range(50)
        for entry in (
            attempt(f"u-{number:02}", Failed("503"), 11, topic_id="t"),
            attempt(f"u-{number:02}", Failed("503"), 13, attempts=1, topic_id="t"),
            attempt(f"u-{number:02}", Exhausted("503"), 15, attempts=2, topic_id="t"),
        )
    ]
    random.Random(8).shuffle(entries)
    rows = await show(database, *entries)
    assert [row[:6] for row in rows] == [(f"u-{number:02}", 3, 3, "503", None, 115.0) for number in range(50)]
    counts = query(database.path, "SELECT status, count FROM topic_counts WHERE count > 0")
    assert [tuple(row) for row in counts] == [(3, 50)]


async def test_a_mail_that_an_event_settled_first_stays_as_the_event_says(database: Database) -> None:
    await show(database, attempt("u-1", Failed("503"), 11))
    async with database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET status = 2, message_id = 'ses-1', finished_at = 200.0")
    rows = await show(database, attempt("u-1", Exhausted("503"), 13, attempts=1))
    assert rows == [("u-1", 2, 1, "503", "ses-1", 200.0, 1)]


async def test_a_mail_that_was_cancelled_first_is_counted_once(database: Database) -> None:
    await show(database, attempt("u-1", Failed("503"), 11, topic_id="t"))
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO cancellations (topic_id, sequence, cancelled_at) VALUES ('t', 9, 1.0)")
        await connection.execute("UPDATE email_requests SET status = 4, error = 'cancelled'")
    await show(
        database,
        attempt("u-1", Failed("503"), 13, attempts=1, topic_id="t"),
        attempt("u-1", Stopped(StopReason.CANCELLED), 15, attempts=2, topic_id="t"),
    )
    (row,) = query(database.path, "SELECT status, cancelled FROM email_requests JOIN cancellations USING (topic_id)")
    assert tuple(row) == (4, 1)


async def test_mail_of_the_api_goes_on_in_its_own_row(database: Database) -> None:
    insert = """
    INSERT INTO email_requests (uuid, topic_id, email, status, finished_at, source, created_at, updated_at)
    VALUES ('u-1', 't', 'a@example.com', 2, 50.0, 'api', 1, 1)
    """  # an event was faster than the outcome
    async with database.transaction() as connection:
        await connection.execute(insert)
    assert len(await show(database, attempt("u-1", Sent("ses-1"), 11, topic_id="t"))) == 1


async def test_a_uuid_that_lives_again_gets_a_row_of_its_own(database: Database) -> None:
    former, present = attempt("u-1", Sent("ses-1"), 11), attempt("u-1", Sent("ses-2"), 22, life=21)
    for rows in (await show(database, former + present), await show(database, former, present)):
        assert [(row[0].startswith("u-1"), row[4]) for row in rows] == [(True, "ses-2"), (True, "ses-1")]


async def kept(database: Database, message: EmailMessage) -> None:
    """As the API stores it."""
    recipient = (message.uuid, message.email, message.fingerprint.recipients)
    stored = Request([BatchMessage(message, [recipient], message.topic_id)], [], [])
    await MailStore(database, 3600).store(stored, lambda: "", None)


async def test_a_mail_in_our_keeping_whose_uuid_another_mail_took_becomes_a_conflict(database: Database) -> None:
    await kept(database, mail(topic_id="t", body="of the API"))
    await show(database, attempt("u-1", Sent("ses-1"), 11, email="b@example.com"))
    rows = query(database.path, "SELECT uuid, email, status FROM email_requests ORDER BY id")
    assert [tuple(row) for row in rows] == [("u-1\0001", "a@example.com", 0), ("u-1", "b@example.com", 2)]
    due = await DueMail(database).take(Lane.BULK, 10)
    assert due.messages == []
    [letter] = due.unpublishable
    assert letter.kind is DeadLetterKind.CONFLICT
    assert decode(letter.payload) == mail(topic_id="t", body="of the API")


async def test_a_mail_from_our_keeping_that_a_worker_found_in_conflict_has_failed(database: Database) -> None:
    ours, first = mail(), attempt("u-1", Sent("ses-1"), 11, email="b@example.com")
    await kept(database, ours)
    found = BucketEntry(ClaimRecord(Status.SENT, message_id="ses-1", life=10), 11)
    conflict = encode_state(ours, ORIGIN, found, 120.0, keep_subject=True, conflict="its uuid stands for others")
    for batches in ([conflict, conflict], [first, conflict]):
        await show(database, *batches)
        rows = query(database.path, "SELECT status, error FROM email_requests WHERE email = 'a@example.com'")
        assert [tuple(row) for row in rows] == [(3, "its uuid stands for others")]
    history = query(
        database.path, "SELECT uuid, outcome FROM email_attempts JOIN email_requests AS m ON m.id = request_id"
    )
    assert [tuple(row) for row in history] == [("u-1\0001", "conflict"), ("u-1", "conflict")]


async def test_a_sidecar_that_was_away_catches_up(jetstream: JetStreamBackend) -> None:
    uuids = [f"u-{number}" for number in range(500)]
    async with jetstream.open() as ledger:
        await asyncio.gather(*(ledger.claim(mail(uuid), ORIGIN) for uuid in uuids))
        await asyncio.gather(*(ledger.finish(mail(uuid), Sent(uuid), ORIGIN) for uuid in uuids))
    done, last = await projected(jetstream.client, STREAM)
    assert done < last
    (row,) = await jetstream.query("SELECT count(*) AS sent FROM email_requests WHERE status = 2")
    assert row["sent"] == 500
    assert await projected(jetstream.client, STREAM) == (last, last)


async def test_batches_fit_a_server_that_takes_little(tmp_path: Path, path: Path) -> None:
    uuids = [f"u-{number}" for number in range(100)]
    async with (
        NatsServer(tmp_path / "nats", "max_payload: 4KB") as server,
        jetstream_backend(server.url, path) as jetstream,
        jetstream.open() as ledger,
    ):
        await asyncio.gather(*(ledger.claim(mail(uuid), ORIGIN) for uuid in uuids))
        await asyncio.gather(*(ledger.finish(mail(uuid), Sent(uuid), ORIGIN) for uuid in uuids))
        (row,) = await jetstream.query("SELECT count(*) AS sent FROM email_requests WHERE status = 2")
    assert row["sent"] == 100


async def test_what_is_newly_sent_is_counted_once(database: Database) -> None:
    counted: list[Tally] = []
    projection = Projection(database, counted.append)
    batch = attempt("u-1", Sent("ses-1"), 11, lane="transactional", topic_id="t") + attempt("u-2", Failed("503"), 12)
    async with projection.running():
        for payload in (batch, batch, attempt("u-2", Sent("ses-2"), 13, tenant="acme")):
            await projection.handle(Batch(payload))
    assert counted == [{("t", None, False): 1}, {}, {(None, "acme", True): 1}]
    rows = query(database.path, "SELECT lane FROM email_requests ORDER BY uuid")
    assert [row["lane"] for row in rows] == ["transactional", "bulk"]
