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

from email_consumer.core.ledger import Claim
from email_consumer.core.mail_group import Tally
from email_consumer.core.mail_queue import Delivered
from email_consumer.core.outcome import Duplicate, InDoubt, Parked, Scheduled, Sent
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimBucket, mark_sent
from email_consumer.ledgers.jetstream.mail_state import read_states
from email_consumer.ledgers.jetstream.projection import Projection
from email_consumer.ledgers.jetstream.reading_journal import BucketJournal
from email_consumer.ledgers.jetstream.record import ClaimRecord
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.jetstream.takeover import keep_takeover, read_takeover
from email_consumer.store.database import Database
from email_consumer.store.status import Status
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, policy, query
from tests.integration.ledgers.test_projection import Batch, attempt
from tests.integration.ledgers.test_scheduling import LATER, keep

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
    assert (await keep_takeover(jetstream.client, STREAM, "c", Delivered(7, 0, "s"))).sequence == 7
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
        "lane": (5, []),
        "tenant": (5, []),
        "subject": (5, []),
        "now": (None, "x", float("nan")),
    }
    for name, values in wrong.items():
        for value in values:
            yield f"{name} {value!r}", msgpack.packb(good | {name: value})
    for name in good.keys() - {"left_out", "recipients_hash", "content_hash", "conflict", "lane", "tenant", "subject"}:
        yield f"without {name}", msgpack.packb({key: value for key, value in good.items() if key != name})
    surrogate = msgpack.packb(good | {"email": "\ud800@example.com"}, unicode_errors="surrogatepass")
    yield "an unpaired surrogate", surrogate


async def test_junk_in_batches_of_outcomes_costs_nothing_that_is_ours(database: Database) -> None:
    sent: list[Tally] = []
    projection = Projection(database, sent.append)
    handled: list[Batch] = []
    with capture_logs() as logs:
        async with projection.running():
            for number, (_, junk) in enumerate(batches()):
                handled += [Batch(junk), Batch(attempt(f"before-{number}", Sent("ses-1"), 11) + junk)]
            await asyncio.gather(*(projection.handle(batch) for batch in handled))
    assert all(batch.acked for batch in handled)
    uuids = {row["uuid"] for row in query(database.path, "SELECT uuid FROM email_requests WHERE status = 2")}
    assert uuids == {f"before-{number}" for number, _ in enumerate(batches())}
    assert sum(each.total() for each in sent) == len(uuids)
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


def test_what_an_earlier_worker_does_not_publish_may_be_absent() -> None:
    packed = msgpack.unpackb(attempt("u-1", Sent("ses-1"), 11))
    for name in ("left_out", "recipients_hash", "content_hash", "conflict"):
        del packed[name]
    [entry] = read_states(msgpack.packb(packed | {"a newer one's": 1}))
    assert not isinstance(entry, Exception)
    assert (entry["left_out"], entry["conflict"]) == ([], None)
