"""What only the ledger on JetStream has: many workers, and an event that settles a record."""

import asyncio
import time
from dataclasses import replace

import pytest

from email_consumer.core.ledger import Claim, Origin
from email_consumer.core.mail_queue import Delivered
from email_consumer.core.outcome import (
    Busy,
    Duplicate,
    Failed,
    Held,
    InDoubt,
    Interrupted,
    Outcome,
    Parked,
    Rejected,
    Sent,
    Stopped,
    StopReason,
    Throttled,
)
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimBucket, mark_sent
from email_consumer.ledgers.jetstream.streams import Names, ensure_ledger_streams, projected
from email_consumer.ledgers.jetstream.takeover import keep_takeover, read_takeover, renew_takeover
from email_consumer.ledgers.rule import LEASE, Takeover
from email_consumer.runtime.clock import elapsed
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, policy

AGAIN = replace(ORIGIN, received=2)
UUIDS = [f"u-{number}" for number in range(300)]


async def test_workers_may_start_at_once(jetstream: JetStreamBackend) -> None:
    starting = (ensure_ledger_streams(jetstream.client, "others", replicas=1) for _ in range(5))
    await asyncio.gather(*starting)
    assert await projected(jetstream.client, "others") == (0, 0)


async def test_two_workers_claim_each_uuid_once(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as one, jetstream.open() as other:
        answers = await asyncio.gather(
            *(worker.claim(mail(uuid), ORIGIN) for uuid in UUIDS for worker in (one, other)),
        )
    pairs = list(zip(answers[::2], answers[1::2], strict=True))
    assert all({type(answer) for answer in pair} == {Claim, Busy} for pair in pairs)


async def test_a_claim_is_good_for_half_its_lease(jetstream: JetStreamBackend) -> None:
    before = elapsed()
    async with jetstream.open() as ledger:
        claim = await ledger.claim(mail(), ORIGIN)
    assert isinstance(claim, Claim)
    assert before + LEASE / 2 <= claim.deadline <= elapsed() + LEASE / 2


async def test_an_event_settles_what_is_in_doubt(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as dead:
        await dead.claim(mail(), ORIGIN)
    assert await confirm(jetstream, "u-1", "ses-1")
    assert not await confirm(jetstream, "u-1", "ses-1")
    assert not await confirm(jetstream, "unknown", "ses-2")
    async with jetstream.open(after_crash=True) as ledger:
        assert await ledger.claim(mail(), AGAIN) == Duplicate()
    (row,) = await jetstream.query("SELECT * FROM email_requests")
    assert (row["status"], row["message_id"], row["attempts"]) == (2, "ses-1", 1)


async def test_an_event_is_faster_than_the_first_worker(jetstream: JetStreamBackend) -> None:
    """`run` was killed with mail in hand, and the sidecar hears of it before any worker is there."""
    assert await confirm(jetstream, "u-1", "ses-1", ours=True)
    async with jetstream.open(takeover=Takeover(ORIGIN.sequence, 0.0)) as ledger:
        assert await ledger.claim(mail(), AGAIN) == Duplicate()
    (row,) = await jetstream.query("SELECT * FROM email_requests")
    assert (row["status"], row["message_id"], row["attempts"]) == (2, "ses-1", 1)


async def test_an_event_after_parking_makes_a_replay_a_duplicate(jetstream: JetStreamBackend) -> None:
    async with jetstream.open(policy(in_doubt="park")) as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), InDoubt("read time-out"), ORIGIN)
        parked = await ledger.claim(mail(), ORIGIN)
        assert isinstance(parked, Parked)
        await ledger.finish(mail(), parked, ORIGIN)
        await confirm(jetstream, "u-1", "ses-1")
        assert await ledger.claim(mail(), replace(ORIGIN, replay_of="messages-dead:1")) == Duplicate()


async def test_sent_stays_sent_whatever_the_worker_reports_afterwards(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await confirm(jetstream, "u-1", "ses-1")
        await ledger.finish(mail(), InDoubt("read time-out"), ORIGIN)
        assert await ledger.claim(mail(), ORIGIN) == Duplicate()
    (row,) = await jetstream.query("SELECT * FROM email_requests")
    assert (row["status"], row["message_id"], row["in_doubt"]) == (2, "ses-1", 0)


async def test_a_claim_that_was_taken_over_is_not_given_back_by_its_former_holder(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as sleeper, jetstream.open(after_crash=True) as other:
        await sleeper.claim(mail(), ORIGIN)
        claim = await other.claim(mail(), AGAIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 2
        await sleeper.finish(mail(), Interrupted(), ORIGIN)
        assert await sleeper.claim(mail(), ORIGIN) == Busy()
        await other.finish(mail(), Failed("503"), ORIGIN)
        assert isinstance(await sleeper.claim(mail(), ORIGIN), Claim)


async def test_what_the_former_holder_did_send_is_sent(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as sleeper, jetstream.open(after_crash=True) as other:
        await sleeper.claim(mail(), ORIGIN)
        await other.claim(mail(), AGAIN)
        await sleeper.finish(mail(), Sent("ses-1"), ORIGIN)
        await other.finish(mail(), Rejected("no"), AGAIN)
        assert await other.claim(mail(), ORIGIN) == Duplicate()
    (row,) = await jetstream.query("SELECT * FROM email_requests")
    assert (row["status"], row["message_id"]) == (2, "ses-1")


async def test_a_doubt_does_not_take_the_claim_from_a_slow_worker(jetstream: JetStreamBackend) -> None:
    waiting = policy(grace=1000)
    async with jetstream.open(waiting) as slow, jetstream.open(waiting, after_crash=True) as other:
        await slow.claim(mail(), ORIGIN)
        assert isinstance(await other.claim(mail(), AGAIN), InDoubt)
        await slow.finish(mail(), Rejected("no"), ORIGIN)
        assert await other.claim(mail(), AGAIN) == Duplicate()
    (row,) = await jetstream.query("SELECT * FROM email_requests")
    assert (row["status"], row["error"]) == (3, "no")


async def test_a_cancelled_topic_stops_what_a_dead_worker_left(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as dead, jetstream.open() as ledger:
        await dead.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Stopped(StopReason.CANCELLED), AGAIN)
        assert await ledger.claim(mail(), AGAIN) == Duplicate()
        await dead.finish(mail(), Failed("503"), ORIGIN)
    (row,) = await jetstream.query("SELECT * FROM email_requests")
    assert (row["status"], row["error"]) == (4, "cancelled")
    assert await confirm(jetstream, "u-1", "ses-1")  # the dead worker's request had reached SES after all
    async with jetstream.open() as ledger:
        assert await ledger.claim(mail(), AGAIN) == Duplicate()
    (row,) = await jetstream.query("SELECT * FROM email_requests")
    assert (row["status"], row["error"], row["message_id"], row["attempts"]) == (2, None, "ses-1", 1)


@pytest.mark.parametrize("outcome", [Interrupted(), Throttled("slow down"), Held("no connection")])
async def test_a_stopped_mail_that_was_renewed_and_not_sent_stays_stopped(
    jetstream: JetStreamBackend, outcome: Outcome
) -> None:
    """A worker that was away did not know of the suppression yet, and another one had settled its delivery."""
    async with jetstream.open() as sleeper, jetstream.open() as other:
        await other.finish(mail(), Stopped(StopReason.SUPPRESSED, "a@example.com: complaint"), AGAIN)
        assert isinstance(await sleeper.claim(mail(), ORIGIN), Claim)
        await sleeper.finish(mail(), outcome, ORIGIN)
        (row,) = await jetstream.query("SELECT * FROM email_requests")
        assert (row["status"], row["error"]) == (4, "suppressed: a@example.com: complaint")
        assert isinstance(await other.claim(mail(), ORIGIN), Claim)  # sent once the suppression is removed


@pytest.mark.parametrize("again", [AGAIN, ORIGIN], ids=["redelivered", "by a consumer that was made again"])
async def test_an_outcome_that_did_not_reach_the_tables_is_published_again(
    jetstream: JetStreamBackend, again: Origin
) -> None:
    async with jetstream.open() as ledger:
        await ledger.claim(mail(topic_id="t"), ORIGIN)
        await ledger.finish(mail(topic_id="t"), Sent("ses-1"), ORIGIN)
        await jetstream.client.jetstream().purge_stream(Names(STREAM).outcomes)
    async with jetstream.open() as ledger:
        assert ledger.known(mail()) is None
        assert await jetstream.query("SELECT * FROM email_requests") == []
        assert await ledger.claim(mail(topic_id="t"), again) == Duplicate()
    (row,) = await jetstream.query("SELECT * FROM email_requests")
    assert (row["status"], row["message_id"], row["topic_id"]) == (2, "ses-1", "t")


async def test_only_final_records_expire(jetstream: JetStreamBackend) -> None:
    outcomes: dict[str, Outcome] = {
        "sent": Sent("ses-1"),
        "failed": Failed("503"),
        "doubtful": InDoubt("read time-out"),
    }
    async with jetstream.open(policy(ttl=7)) as ledger:
        for uuid, outcome in outcomes.items():
            await ledger.claim(mail(uuid), ORIGIN)
            await ledger.finish(mail(uuid), outcome, ORIGIN)
    names, context = Names(STREAM), jetstream.client.jetstream()
    messages = {uuid: await context.get_msg(names.bucket_stream, subject=names.key(uuid)) for uuid in outcomes}
    times = {uuid: (message.headers or {}).get("Nats-TTL") for uuid, message in messages.items()}
    assert times == {"sent": "7", "failed": None, "doubtful": None}


async def test_what_was_delivered_before_the_first_worker_came_is_kept(jetstream: JetStreamBackend) -> None:
    first = await keep_takeover(jetstream.client, STREAM, "email-processor", Delivered(42, 5, "s"))
    assert (first.sequence, first.transactional, first.stream) == (42, 5, "s")
    assert await keep_takeover(jetstream.client, STREAM, "email-processor", Delivered(99, 0, "s")) == first
    assert (await keep_takeover(jetstream.client, STREAM, "another", Delivered(7, 0, "s"))).sequence == 7
    await renew_takeover(jetstream.client, STREAM, "email-processor", Delivered(99, 0, "t"))
    renewed = await read_takeover(jetstream.client, STREAM, "email-processor")
    assert (renewed.sequence, renewed.stream) == (99, "t")
    assert await read_takeover(jetstream.client, STREAM, "none") == Takeover(0, 0.0)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(b"[42, 1700000000.5]", Takeover(42, 1700000000.5)), (b"\xff junk", None), (b"{}", None), (b"[1]", None)],
)
async def test_what_lies_in_place_of_the_takeover_record(
    jetstream: JetStreamBackend, value: bytes, kept: Takeover | None
) -> None:
    store = await jetstream.client.jetstream().key_value(Names(STREAM).bucket)
    await store.put("inheritance.c", value)
    assert await read_takeover(jetstream.client, STREAM, "c") == (kept or Takeover(0, 0.0))
    found = await keep_takeover(jetstream.client, STREAM, "c", Delivered(7, 0, "s"))
    assert found.sequence == (kept.sequence if kept else 7)


async def test_a_record_deleted_by_hand_is_forgotten(jetstream: JetStreamBackend) -> None:
    async with jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Rejected("no"), ORIGIN)
        bucket = await jetstream.client.jetstream().key_value(Names(STREAM).bucket)
        await bucket.delete("u-1")
        assert isinstance(await ledger.claim(mail(), ORIGIN), Claim)


async def confirm(jetstream: JetStreamBackend, tag: str, message_id: str, *, ours: bool = False) -> int:
    """What the sidecar does when SES's event arrives."""
    publisher = Publisher(jetstream.client)
    bucket = ClaimBucket(publisher, stream=STREAM, idempotency_ttl=3600)
    return await mark_sent(bucket, tag, message_id, time.time(), ours=ours)
