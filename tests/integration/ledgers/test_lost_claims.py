"""The bucket of claims is lost while mail is on its way: nothing that was sent is claimed again."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.js.api import StreamConfig
from nats.js.errors import ServerError

from email_consumer.core.ledger import Claim, LedgerBlockedError
from email_consumer.core.outcome import Busy, Duplicate, Failed, InDoubt, Outcome, Rejected, Scheduled, Sent
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold_list import HoldList
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.guard import ClaimsGuard
from email_consumer.ledgers.jetstream.mail_state import encode_state
from email_consumer.ledgers.jetstream.record import BucketEntry, ClaimRecord
from email_consumer.ledgers.jetstream.streams import Names, ensure_ledger_streams
from email_consumer.ledgers.rule import CONFLICT
from email_consumer.message.lane import Lane
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.store.status import Status
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, policy
from tests.integration.ledgers.claims_harness import AGAIN, BUCKET, LostClaimsHarness, keeper_of, lost_claims_harness


@pytest.fixture
async def harness(jetstream: JetStreamBackend, path: Path) -> AsyncIterator[LostClaimsHarness]:
    async with lost_claims_harness(jetstream, path) as harness:
        yield harness


async def test_what_the_tables_know_is_known_again(harness: LostClaimsHarness) -> None:
    later = datetime.now(UTC) + timedelta(days=30)
    waiting = mail("waits", scheduled_at=later)
    async with harness.jetstream.open(policy(grace=3600)) as ledger:
        outcomes: dict[str, Outcome] = {
            "sent": Sent("ses-1"),
            "rejected": Rejected("no"),
            "doubtful": InDoubt("read time-out"),
            "failed": Failed("503"),
            "a uuid that is no tag": Sent("ses-2"),
        }
        for uuid, outcome in outcomes.items():
            await ledger.claim(mail(uuid), ORIGIN)
            await ledger.finish(mail(uuid), outcome, ORIGIN)
        assert await ledger.schedule(waiting, ORIGIN) == Scheduled()
        await harness.lose()
        await harness.refill()
        answers = {
            uuid: await ledger.claim(mail(uuid), AGAIN) for uuid in ("sent", "rejected", "a uuid that is no tag")
        }
        assert answers == dict.fromkeys(answers, Duplicate())
        assert await ledger.claim(mail("sent", email="other@example.com"), AGAIN) == CONFLICT
        assert isinstance(await ledger.claim(mail("doubtful"), AGAIN), InDoubt)
        failed = await ledger.claim(mail("failed"), AGAIN)
        assert isinstance(failed, Claim)
        assert failed.attempt == 2
        assert await ledger.schedule(waiting, AGAIN) == Duplicate()
        assert isinstance(await ledger.claim(mail("waits"), replace(AGAIN, kept=True)), Claim)
        assert isinstance(await ledger.claim(mail("rejected"), replace(AGAIN, replay_of="messages-dead:1:1.0")), Claim)
    context, names = harness.jetstream.client.jetstream(), Names(STREAM)
    sent = await context.get_msg(BUCKET, subject=names.key("sent"))
    assert 3500 < int((sent.headers or {})["Nats-TTL"]) <= 3600, "counted from its outcome"


async def test_what_was_unsettled_counts_as_claimed(harness: LostClaimsHarness) -> None:
    async with harness.jetstream.open(lease=60) as dead:
        [origin] = await harness.deliver(mail())
        assert isinstance(await dead.claim(mail(), origin), Claim)
    await harness.lose()
    await harness.refill()
    async with harness.jetstream.open() as other:
        assert await other.claim(mail(), AGAIN) == Busy(), "published twice"
        assert await other.claim(mail(), replace(origin, received=2)) == Busy(), "delivered again"
    async with harness.jetstream.open(policy(grace=3600), after_crash=True) as later:
        assert isinstance(await later.claim(mail(), replace(origin, received=2)), InDoubt)


async def test_a_worker_that_had_claimed_it_finishes_it_itself(harness: LostClaimsHarness) -> None:
    mails = [mail(uuid) for uuid in ("sent", "rejected", "unclaimed")]
    async with harness.jetstream.open() as ledger:
        origins = await harness.deliver(*mails)
        for each, origin in zip(mails[:2], origins, strict=False):
            assert isinstance(await ledger.claim(each, origin), Claim)
        await harness.lose()
        await harness.refill()
        await ledger.finish(mails[0], Sent("ses-1"), origins[0])
        await ledger.finish(mails[1], Rejected("no"), origins[1])
        assert await ledger.claim(mails[0], AGAIN) == Duplicate()
        assert await ledger.claim(mails[1], AGAIN) == Duplicate()
        assert isinstance(await ledger.claim(mails[2], origins[2]), Claim), "nobody had it before"


async def test_of_two_deliveries_of_a_uuid_any_may_have_been_claimed(harness: LostClaimsHarness) -> None:
    first, second = await harness.deliver(mail(), mail())
    await harness.lose()
    await harness.refill()
    async with harness.jetstream.open() as ledger:
        assert await ledger.claim(mail(), first) == Busy()
        assert await ledger.claim(mail(), second) == Busy()


async def test_outcomes_while_it_is_lost_are_published_and_refilled(harness: LostClaimsHarness) -> None:
    async with harness.jetstream.open() as ledger:
        [origin] = await harness.deliver(mail())
        await ledger.claim(mail(), origin)
        await harness.lose()
        await ledger.finish(mail(), Sent("ses-1"), origin)  # doesn't wait for the bucket
        await harness.refill()
        assert await ledger.claim(mail(), AGAIN) == Duplicate()
    [row] = await harness.database.fetch("SELECT status, message_id FROM email_requests")
    assert tuple(row) == (Status.SENT, "ses-1")


async def test_an_outcome_that_comes_after_the_refill_is_brought_in(harness: LostClaimsHarness) -> None:
    async with harness.jetstream.open() as ledger:
        [origin] = await harness.deliver(mail())
        claim = await ledger.claim(mail(), origin)
        assert isinstance(claim, Claim)
        held = ledger._held[mail().uuid]
        await harness.lose()
        await harness.refill()
        # It was written to the bucket that is gone, and its worker was stopped before it could tell.
        record = ClaimRecord(Status.SENT, attempts=1, finished_at=time.time(), message_id="ses-1", life=held.revision)
        late_outcome = encode_state(
            mail(), origin, BucketEntry(record, held.revision + 1), time.time(), keep_subject=True
        )
        await harness.jetstream.client.jetstream().publish(Names(STREAM).outcomes, late_outcome)
        await harness.refill()
        await harness.until_sent()
        async with harness.jetstream.open() as other:
            assert await other.claim(mail(), AGAIN) == Duplicate()


async def test_nothing_is_claimed_before_it_is_refilled(harness: LostClaimsHarness) -> None:
    guard = ClaimsGuard(ClaimsStream(harness.jetstream.client, STREAM))
    async with harness.jetstream.open(guard=guard) as ledger:
        await harness.lose()
        claiming = asyncio.create_task(ledger.claim(mail(), ORIGIN))
        await guard.refresh()
        with pytest.raises(ConnectionError, match="the claims bucket was lost; waiting for the sidecar to refill it"):
            await guard.check()
        await harness.keeper.make()  # it is there, and not full yet
        await guard.refresh()
        assert not claiming.done()
        guard.close()  # as a worker that ends
        for waiting in (claiming, ledger.claim(mail(), ORIGIN)):
            with pytest.raises(LedgerBlockedError, match="the claims bucket was lost"):
                await waiting
    await harness.refill()
    await guard.refresh()
    await guard.check()


async def test_a_claim_waits_for_a_refill(harness: LostClaimsHarness) -> None:
    async with harness.jetstream.open() as ledger:
        await harness.lose()
        claiming = asyncio.create_task(ledger.claim(mail(), ORIGIN))
        await harness.refill()
        assert isinstance(await claiming, Claim)


async def test_a_bucket_that_was_made_again_by_somebody_is_noticed(harness: LostClaimsHarness) -> None:
    async with harness.jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
    await harness.lose()
    await harness.jetstream.client.jetstream().create_key_value(bucket=Names(STREAM).bucket, history=1)
    await harness.refill()
    async with harness.jetstream.open() as ledger:
        assert await ledger.claim(mail(), AGAIN) == Duplicate()


async def test_a_refill_that_was_cut_off_goes_on(harness: LostClaimsHarness) -> None:
    async with harness.jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
    await harness.lose()
    await harness.keeper.make()  # and no more
    harness.keeper = keeper_of(harness.jetstream, harness.database)
    await harness.keeper.prepare()
    await harness.refill()
    async with harness.jetstream.open() as ledger:
        assert await ledger.claim(mail(), AGAIN) == Duplicate()


async def test_revisions_go_on_above_those_that_rows_show(harness: LostClaimsHarness) -> None:
    async with harness.database.transaction() as connection:
        ahead = int(time.time() * 1e6) + 10**12  # by a clock that was wrong
        await connection.execute(
            "INSERT INTO email_requests (uuid, email, status, source, revision, created_at, updated_at) "
            "VALUES ('u-1', 'a@example.com', 0, 'nats', ?, 1, 1)",
            (ahead,),
        )
    await harness.lose()
    await harness.refill()
    async with harness.jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
    await harness.refill()
    await harness.until_sent()


async def test_the_bucket_of_the_version_before_is_taken_over(harness: LostClaimsHarness) -> None:
    context, names = harness.jetstream.client.jetstream(), Names(STREAM)
    await harness.lose()
    async with harness.database.transaction() as connection:
        await connection.execute("DELETE FROM facts WHERE name = 'claims'")
    before = StreamConfig(
        name=BUCKET,
        subjects=[names.key(">")],
        max_msgs_per_subject=1,
        allow_rollup_hdrs=True,
        allow_msg_ttl=True,
        deny_delete=True,
    )
    await context.add_stream(before)
    async with harness.jetstream.open() as ledger:
        assert isinstance(await ledger.claim(mail(), ORIGIN), Claim)
        harness.keeper = keeper_of(harness.jetstream, harness.database)
        await harness.keeper.prepare()
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
        assert await ledger.claim(mail(), AGAIN) == Duplicate()
    await harness.keeper.check()
    with pytest.raises(ServerError):  # from here on nobody empties it by mistake
        await context.purge_stream(BUCKET)
    assert (await ClaimsStream(harness.jetstream.client, STREAM).state()).whole


async def test_lost_streams_are_made_again_and_named(harness: LostClaimsHarness) -> None:
    made = await ensure_ledger_streams(harness.jetstream.client, STREAM, replicas=1)
    assert made == []
    names = Names(STREAM)
    for name in (names.outcomes, names.scheduled):
        await harness.jetstream.client.jetstream().delete_stream(name)
    assert await ensure_ledger_streams(harness.jetstream.client, STREAM, replicas=1) == [
        names.outcomes,
        names.scheduled,
    ]
    async with harness.jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)


async def test_a_lost_stream_is_reported_by_the_process_that_created_it(harness: LostClaimsHarness) -> None:
    name = Names(STREAM).outcomes
    await harness.jetstream.client.jetstream().delete_stream(name)
    processes = [ensure_ledger_streams(harness.jetstream.client, STREAM, replicas=1) for _ in range(3)]
    assert [name for made in await asyncio.gather(*processes) for name in made] == [name]


@pytest.mark.parametrize("mark", [b"junk", b"", b"\xff", b"[" * 50_000])
async def test_a_mark_that_somebody_overwrote_ends_nothing(harness: LostClaimsHarness, mark: bytes) -> None:
    async with harness.jetstream.open() as ledger:
        [origin] = await harness.deliver(mail())
        assert isinstance(await ledger.claim(mail(), origin), Claim)
        await ledger.finish(mail(), Sent("ses-1"), origin)
        await harness.jetstream.client.jetstream().publish(Names(STREAM).key("bucket.whole"), mark)
        await harness.keeper.refresh()
        await harness.keeper.check()
    async with harness.jetstream.open() as ledger:
        assert await ledger.claim(mail(), AGAIN) == Duplicate()


async def test_mail_that_meets_a_hold_after_a_refill_is_released_with_the_others(
    harness: LostClaimsHarness,
) -> None:
    """The refill counted it as claimed, and the tables were told so: nobody has it in hand once it waits for the hold."""
    [origin] = await harness.deliver(mail())
    await harness.lose()
    await harness.refill()
    again = replace(origin, received=2)
    async with harness.following():
        async with harness.jetstream.open(policy(grace=3600), after_crash=True) as early:
            assert isinstance(await early.schedule(mail(), again, "lane:bulk"), InDoubt)
            while not await harness.database.fetch("SELECT 1 FROM email_requests"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with harness.jetstream.open(policy(grace=0), after_crash=True) as later:
            assert await later.schedule(mail(), again, "lane:bulk") == Scheduled()
            while not await harness.database.fetch("SELECT 1 FROM email_requests WHERE held_by IS NOT NULL"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await HeldMail(harness.database, HoldList(harness.database, lambda _: None), lambda: None).release()
    assert len((await DueMail(harness.database).take(Lane.BULK, 10)).messages) == 1
