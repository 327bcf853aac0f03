"""What somebody else puts into the ledger's bucket and streams: ours goes on, and what is theirs is kept or skipped."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import orjson
import pytest
from structlog.testing import capture_logs

from email_consumer.core.burial import Burial
from email_consumer.core.ledger import Claim, Origin
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Duplicate, InDoubt, Parked, Scheduled, Sent
from email_consumer.core.unsent import Unsent
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimBucket, mark_sent
from email_consumer.ledgers.jetstream.mail_state import read_states
from email_consumer.ledgers.jetstream.projection import Projection
from email_consumer.ledgers.jetstream.reading_journal import BucketJournal
from email_consumer.ledgers.jetstream.record import ClaimRecord
from email_consumer.ledgers.jetstream.scheduling import ScheduledMail, publish_scheduled
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.jetstream.takeover import keep_takeover, read_takeover
from email_consumer.message.model import encode
from email_consumer.store.database import Database, open_database
from email_consumer.store.status import Status
from tests.integration.ledgers.backends import ORIGIN, STREAM, JetStreamBackend, mail, policy, query
from tests.integration.ledgers.test_projection import Batch, attempt
from tests.integration.ledgers.test_scheduling import LATER, dead_letters, keep, passing
from tests.unit.delivery import FakeDelivery

NAMES = Names(STREAM)
GOOD = orjson.loads(ClaimRecord(Status.SENT, "w-1", 1, finished_at=time.time(), message_id="ses-1").encode())

ODD: dict[str, tuple[object, ...]] = {
    "status": ("sent", 7, -1, 2.5, None),
    "claim": (5, None, []),
    "attempts": ("two", -1, None, 2**63, 1.5),
    "in_doubt": ("no", 2, None),
    "claimed_at": ("today", -1.0, 1e300, None, {}),
    "finished_at": ([], 10**18, "2026-01-01"),
    "message_id": (5, {}),
    "error": ([1], 7),
    "replay_of": (7, {}),
    "left_out": ("a@example.com", [1], [{"address": 1, "reason": 2}], [{"who": "x"}], {}),
    "life": (-1, "x", 2**63, None),
    "recipients": ("x", 2**64 - 1, []),
    "content": ("x", 1e300, {}),
}
RECORDS: dict[str, bytes] = {
    "no JSON": b"junk",
    "no text": b"\xff\xfe\x00",
    "MessagePack": msgpack.packb(GOOD),
    "null": b"null",
    "a list": b"[1, 2]",
    "a number": b"1e308",
    "nothing in it": b"{}",
    "lists in lists": b"[" * 100_000,
    "an unpaired surrogate": b'{"status": 2, "message_id": "\\ud800"}',
    "unknown columns": b'{"id": 1, "name": "x; DROP TABLE email_requests"}',
    "huge": b'{"status": 2, "claim": ' + b"9" * 500_000 + b"}",
} | {f"{name} {value!r}": orjson.dumps(GOOD | {name: value}) for name, values in ODD.items() for value in values}


async def put(jetstream: JetStreamBackend, subject: str, value: bytes, headers: dict[str, str] | None = None) -> None:
    await jetstream.client.jetstream().publish(subject, value, headers=headers)


@pytest.fixture
async def junk(jetstream: JetStreamBackend) -> dict[str, str]:
    """What each mail's record is, by the mail's uuid."""
    await asyncio.gather(*(put(jetstream, NAMES.key(f"u-{n}"), junk) for n, junk in enumerate(RECORDS.values())))
    return {f"u-{number}": name for number, name in enumerate(RECORDS)}


async def test_the_mail_of_a_record_that_cannot_be_read_is_in_doubt_and_then_sent(
    jetstream: JetStreamBackend, junk: dict[str, str]
) -> None:
    async with jetstream.open(policy(grace=3600)) as ledger:
        with capture_logs() as logs:
            answers = await asyncio.gather(*(ledger.claim(mail(uuid), replace(ORIGIN, received=2)) for uuid in junk))
        assert [(name, type(answer)) for name, answer in zip(junk.values(), answers, strict=True)] == [
            (name, InDoubt) for name in junk.values()
        ]
        assert {line["key"] for line in logs if line["event"] == "bucket.unreadable"} == {*junk}
        assert all(len(repr(line)) < 1_000 for line in logs)
        assert isinstance(await ledger.claim(mail("good"), ORIGIN), Claim)
    rows = await jetstream.query("SELECT uuid, status, in_doubt, error FROM email_requests")
    assert {row["uuid"] for row in rows if row["in_doubt"] and "can't be read" in row["error"]} == {*junk}
    async with jetstream.open(policy(grace=0)) as ledger:
        for uuid, name in junk.items():
            assert isinstance(await ledger.claim(mail(uuid), replace(ORIGIN, received=3)), Claim), name
            await ledger.finish(mail(uuid), Sent(f"ses-{uuid}"), ORIGIN)
    rows = await jetstream.query("SELECT uuid FROM email_requests WHERE status = 2 AND in_doubt = 0")
    assert {row["uuid"] for row in rows} == {*junk}


async def test_it_is_parked_where_nothing_may_be_sent_twice(jetstream: JetStreamBackend, junk: dict[str, str]) -> None:
    async with jetstream.open(policy(in_doubt="park")) as ledger:
        for uuid, name in junk.items():
            assert isinstance(await ledger.claim(mail(uuid), ORIGIN), Parked), name
            await ledger.finish(mail(uuid), Parked("in doubt"), ORIGIN)
            assert isinstance(await ledger.claim(mail(uuid), ORIGIN), Duplicate), name


async def test_the_event_of_its_mail_settles_it(jetstream: JetStreamBackend, junk: dict[str, str]) -> None:
    bucket = ClaimBucket(Publisher(jetstream.client), stream=STREAM, idempotency_ttl=60)
    async with jetstream.open(policy(grace=3600)) as ledger:
        for uuid, name in junk.items():
            assert await mark_sent(bucket, uuid, "ses-1", time.time(), ours=False), name
            assert isinstance(await ledger.claim(mail(uuid), ORIGIN), Duplicate), name


async def test_mail_that_is_due_later_is_kept_all_the_same(
    jetstream: JetStreamBackend, path: Path, junk: dict[str, str]
) -> None:
    async with jetstream.open(policy(grace=0)) as ledger:
        for uuid, name in junk.items():
            assert await ledger.schedule(mail(uuid, **LATER), ORIGIN) == Scheduled(), name
    await keep(jetstream, path)
    assert {row["uuid"] for row in query(path, "SELECT uuid FROM email_requests WHERE status = 0")} == {*junk}


INHERITANCES = [b"junk", b"[]", b"[1, 2, 3]", b'["a", "b"]', b"[1e308, 1]", b"[null, {}]", b"[" * 100_000, b"\xff"]


@pytest.mark.parametrize("value", INHERITANCES)
async def test_what_is_inherited_is_written_again(jetstream: JetStreamBackend, value: bytes) -> None:
    await put(jetstream, NAMES.key("inheritance.c"), value)
    assert (await read_takeover(jetstream.client, STREAM, "c")).sequence == 0
    assert (await keep_takeover(jetstream.client, STREAM, "c", (7, "s"))).sequence == 7
    assert (await read_takeover(jetstream.client, STREAM, "c")).sequence == 7


@pytest.mark.parametrize("value", [b"", b"junk", "²".encode(), b"-1", b"1e9", b"9" * 10_000, b"\xff"])
async def test_a_note_about_a_reading_that_is_none_counts_as_none(jetstream: JetStreamBackend, value: bytes) -> None:
    await put(jetstream, NAMES.reading("key"), value)
    journal = BucketJournal(jetstream.client, STREAM)
    assert [await journal.begin("key") for _ in range(2)] == [0, 1]


def batches() -> Iterator[tuple[str, bytes]]:
    """Junk by itself."""
    good: dict[str, Any] = msgpack.unpackb(attempt("junk", Sent("ses-1"), 11))
    yield from {
        "no MessagePack": b"\xc1\xc1",
        "text": b"not MessagePack at all",
        "cut off": msgpack.packb(good)[:-3],
        "a number": msgpack.packb(2**64 - 1),
        "text that is none": b"\xa2\xff\xfe",
        "a list": msgpack.packb([1, 2]),
        "nothing in it": msgpack.packb({}),
        "unknown columns": msgpack.packb({"id": 1, "status); DROP TABLE email_requests; --": 2}),
        "keys that are no text": msgpack.packb({1: 2, b"x": 3}),
        "lists as keys": b"\x81\x91\x01\x01",
        "lists in lists": b"\x91" * 100_000,
        "a list of millions": b"\xdd\x00\xff\xff\xff",
        "a map of millions": b"\xdf\x00\xff\xff\xff",
        "a time": msgpack.packb(msgpack.Timestamp(2**34)),
        "many numbers": b"\x01" * 500_000,
    }.items()
    wrong: dict[str, tuple[object, ...]] = {
        "uuid": (None, 5, "", "u" * 257, "u\0001", [], b"u"),
        "tag": (5, {}),
        "email": (None, 7),
        "status": ("sent", 7, -1, None, 2.5),
        "attempts": (None, "x", 2**63, -1),
        "in_doubt": ("x", None, 3),
        "claimed_at": ("x", float("nan"), float("inf"), -1.0, 1e300),
        "finished_at": ([], 2**63),
        "expires_at": ({}, "tomorrow"),
        "message_id": (5, ["x"]),
        "error": (5, {}),
        "left_out": (None, "x", [1], [["a"]], [["a", "b", "c"]], [[1, 2]]),
        "revision": (None, "x", 2**63, -1),
        "life": (None, 1.5, 2**64 - 1),
        "recipients_hash": ("x", 2**64 - 1),
        "content_hash": (1e300, []),
        "conflict": (5, [1]),
        "now": (None, "x", float("nan")),
    }
    for name, values in wrong.items():
        for value in values:
            yield f"{name} {value!r}", msgpack.packb(good | {name: value})
    for name in good.keys() - {"left_out", "recipients_hash", "content_hash", "conflict"}:
        yield f"without {name}", msgpack.packb({key: value for key, value in good.items() if key != name})
    surrogate = msgpack.packb(good | {"email": "\ud800@example.com"}, unicode_errors="surrogatepass")
    yield "an unpaired surrogate", surrogate


@pytest.fixture
async def database(path: Path) -> Any:
    async with open_database(path) as database:
        yield database


async def test_junk_in_batches_of_outcomes_costs_nothing_that_is_ours(database: Database) -> None:
    sent: list[int] = []
    projection = Projection(database, sent.append)
    told: list[Batch] = []
    with capture_logs() as logs:
        async with projection.running():
            for number, (_, junk) in enumerate(batches()):
                told += [Batch(junk), Batch(attempt(f"before-{number}", Sent("ses-1"), 11) + junk)]
            await asyncio.gather(*(projection.handle(batch) for batch in told))
    assert all(batch.acked for batch in told)
    uuids = {row["uuid"] for row in query(database.path, "SELECT uuid FROM email_requests WHERE status = 2")}
    assert uuids == {f"before-{number}" for number, _ in enumerate(batches())}
    assert sum(sent) == len(uuids)
    assert len([line for line in logs if line["event"] == "outcomes.unreadable"]) == 1


def test_what_follows_junk_of_the_right_form_is_read() -> None:
    good = attempt("u-1", Sent("ses-1"), 11)
    for name, junk in batches():
        if (
            name in {"no MessagePack", "cut off", "lists as keys", "lists in lists", "many numbers"}
            or "millions" in name
        ):
            continue  # nobody can tell where it ends
        entries = [each for each in read_states(junk + good) if not isinstance(each, Exception)]
        assert [entry["uuid"] for entry in entries] == ["u-1"], name


def test_a_megabyte_of_values_is_not_looked_at_to_its_end() -> None:
    """Each would cost some microseconds, in which nothing else moves."""
    assert [len([*read_states(junk * 1_000_000)]) for junk in (b"\x01", b"x", b"\x80", b"\xc0")] == [1_001] * 4


def test_what_an_earlier_worker_does_not_tell_may_be_absent() -> None:
    packed = msgpack.unpackb(attempt("u-1", Sent("ses-1"), 11))
    for name in ("left_out", "recipients_hash", "content_hash", "conflict"):
        del packed[name]
    [entry] = read_states(msgpack.packb(packed | {"a newer one's": 1}))
    assert not isinstance(entry, Exception)
    assert (entry["left_out"], entry["conflict"]) == ([], None)


LATER_MAIL = encode(mail("u-1", **LATER))
ORIGIN_HEADER = {
    "source": "nats",
    "reference": "messages:1",
    "sequence": 1,
    "stored_at": 0.0,
    "received": 1,
    "replay_of": None,
}


def _header(**changed: object) -> dict[str, str]:
    return {"Email-Origin": orjson.dumps(ORIGIN_HEADER | changed).decode()}


NO_WORKERS = {
    "no message": (b"junk", {}),
    "huge": (bytes(900_000), {}),
    "a message that says nothing of where it comes from": (LATER_MAIL, {}),
    "a message of another version's headers": (LATER_MAIL, {"Email-Life": "1"}),
}
NOT_TO_BE_READ: dict[str, tuple[bytes, dict[str, str]]] = {
    "no message": (b"junk", _header()),
    "no time": (encode(mail("u-1")), _header()),
    "no JSON": (LATER_MAIL, {"Email-Origin": "junk"}),
    "a list": (LATER_MAIL, {"Email-Origin": "[]"}),
    "lists in lists": (LATER_MAIL, {"Email-Origin": "[" * 50_000}),
    "without a part": (LATER_MAIL, {"Email-Origin": '{"source": "nats"}'}),
    "with a part that isn't ours": (LATER_MAIL, _header(tenant="x")),
    "a life that is no number": (LATER_MAIL, _header() | {"Email-Life": "²"}),
    "a life before the first": (LATER_MAIL, _header() | {"Email-Life": "-1"}),
    "a life beyond the last": (LATER_MAIL, _header() | {"Email-Life": str(2**63)}),
} | {
    f"{name} {value!r}": (LATER_MAIL, _header(**{name: value}))
    for name, values in {
        "source": (5, None),
        "reference": ({}, 7),
        "sequence": ("x", -1, 2**63),
        "stored_at": ("x", None, 1e300, -1),
        "received": ([], "1"),
        "replay_of": (7, []),
    }.items()
    for value in values
}


@pytest.mark.parametrize(
    ("name", "received", "told"),
    [
        *((name, 1, "ack") for name in NO_WORKERS),
        *((name, 1, "nak 60") for name in NOT_TO_BE_READ),
        *((name, 61, "ack") for name in NOT_TO_BE_READ),
    ],
)
async def test_scheduled_mail_that_cannot_be_read(
    jetstream: JetStreamBackend, path: Path, name: str, received: int, told: str
) -> None:
    """What may be a newer worker's waits for an hour; then it is a dead letter like what can be nobody's."""
    payload, headers = (NO_WORKERS if (received, told) == (1, "ack") else NOT_TO_BE_READ)[name]
    letters = dead_letters(jetstream)
    async with open_database(path) as database:
        metrics = Metrics()
        scheduled = ScheduledMail(
            database, passing, letters, Unsent(metrics), burial=Burial(), kept=lambda: None, idempotency_ttl=1
        )
        async with scheduled.running():
            delivery = FakeDelivery(payload, headers=headers)
            delivery.received = received
            await scheduled.handle(delivery)
            assert delivery.calls == [told]
    assert query(path, "SELECT * FROM email_requests") == []
    if told == "ack":
        letter = await letters.get(1)
        assert (letter.kind, letter.payload) == ("undecodable", payload)
        assert letter.reason.startswith("it can't be stored until it is due: ")
        assert metrics.unsent["undecodable"] == 1


async def test_mail_that_became_a_dead_letter_on_its_way_into_the_keeping_is_kept_when_it_is_replayed(
    jetstream: JetStreamBackend, path: Path
) -> None:
    """Its uuid waits in the bucket for a mail that will never come."""
    later = mail("u-1", **LATER)
    async with jetstream.open() as ledger:
        assert await ledger.schedule(later, ORIGIN) == Scheduled()
        await jetstream.client.jetstream().purge_stream(NAMES.scheduled)
        replayed = Origin("nats", "messages:9", 9, 5.0, replay_of="messages-dead:1:5.000000")
        assert await ledger.schedule(later, replayed) == Scheduled()
        assert await ledger.schedule(later, replace(replayed, reference="messages:10")) == Duplicate()
    await keep(jetstream, path)
    assert len(query(path, "SELECT * FROM email_requests WHERE status = 0")) == 1


async def test_what_a_worker_writes_is_read(jetstream: JetStreamBackend, path: Path) -> None:
    origin = Origin("sqs", "mail:7f", 0, 1.25, 3, "messages-dead:1:5.000000", "s")
    await publish_scheduled(Publisher(jetstream.client), STREAM, mail("u-1", **LATER), origin, life=7)
    await keep(jetstream, path)
    [row] = query(path, "SELECT source, replay_of, revision FROM email_requests")
    assert tuple(row) == ("sqs", "messages-dead:1:5.000000", 7)
