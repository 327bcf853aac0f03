"""nats-server is killed, and comes back without the last of what it had acknowledged of the ledger."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import Duplicate, InDoubt, Sent
from email_consumer.jetstream import stored_lately
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimBucket
from email_consumer.ledgers.jetstream.record import BucketEntry
from email_consumer.ledgers.jetstream.rolled_back import RolledBack
from email_consumer.ledgers.jetstream.streams import Names, projected
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.store.status import Status
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, policy
from tests.integration.ledgers.claims_harness import AGAIN, BUCKET, LostClaimsHarness, lost_claims_harness
from tests.servers.nats import NatsServer
from tests.waiting import until

_BUCKET = f"jetstream/$G/streams/{BUCKET}"
_OUTCOMES = f"jetstream/$G/streams/{Names(STREAM).outcomes}"


@pytest.fixture
async def harness(jetstream: JetStreamBackend, path: Path) -> AsyncIterator[LostClaimsHarness]:
    async with lost_claims_harness(jetstream, path) as harness:
        yield harness


@pytest.mark.parametrize("others", [0, 20])
async def test_records_that_the_tables_know_are_made_again(
    harness: LostClaimsHarness, server: NatsServer, others: int
) -> None:
    """`others`: so many mails were claimed since, which have the revisions that were lost."""
    async with harness.jetstream.open(policy(grace=3600)) as ledger, harness.following():
        async with server.forgetting(_BUCKET):
            await ledger.claim(mail(), ORIGIN)
            await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
            await _shown(harness, mail().uuid)
        for number in range(others):
            assert isinstance(await ledger.claim(mail(f"other-{number}"), ORIGIN), Claim)
        await harness.keeper.refresh()
        async with harness.jetstream.open() as another:
            assert await another.claim(mail(), AGAIN) == Duplicate()
        [(revision,)] = await harness.database.fetch(
            "SELECT revision FROM email_requests WHERE uuid = ?", (mail().uuid,)
        )
        state = (await harness.jetstream.client.jetstream().stream_info(BUCKET)).state
        assert state.first_seq > revision, "revisions are not used again"


async def test_a_bucket_that_lost_nothing_stays(harness: LostClaimsHarness, server: NatsServer) -> None:
    jetstream = harness.jetstream.client.jetstream()
    async with harness.jetstream.open() as ledger, harness.following():
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), InDoubt("read time-out"), ORIGIN)
        created = (await jetstream.stream_info(BUCKET)).created
        await server.kill()
        await server.restart()
        await harness.keeper.refresh()
        assert (await jetstream.stream_info(BUCKET)).created == created


async def test_an_outcome_that_comes_during_the_comparison_is_compared_as_well(
    jetstream: JetStreamBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    statistics = {"reconnects": 0}
    bucket = ClaimBucket(Publisher(jetstream.client), stream=STREAM, idempotency_ttl=3600)
    rolled_back, read = RolledBack(bucket, statistics, 3600), bucket.read

    async def read_slowly(tag: str, until: float) -> BucketEntry:
        rolled_back.add([{"uuid": "u-late", "tag": None, "revision": 1, "conflict": None}])
        return await read(tag, until)

    rolled_back.add([{"uuid": "u-1", "tag": None, "revision": 0, "conflict": None}])
    monkeypatch.setattr(bucket, "read", read_slowly)
    statistics["reconnects"] += 1
    assert not await rolled_back.noticed()
    assert await rolled_back.noticed(), "the bucket has no record of it"


async def test_outcomes_that_were_lost_are_published_again(
    harness: LostClaimsHarness, server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_lately, "_LOOK", 0.05)
    async with harness.jetstream.open() as ledger:
        async with server.forgetting(_OUTCOMES):
            await ledger.claim(mail(), ORIGIN)
            await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
        async with harness.following():
            await _shown(harness, mail().uuid)


async def test_what_was_stored_long_ago_is_not_published_again(
    jetstream: JetStreamBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_lately, "_LOOK", 0.01)
    monkeypatch.setattr(stored_lately, "_FORGOTTEN", 0.0)
    stored = stored_lately.StoredLately(Publisher(jetstream.client))
    stored.add("subject", b"payload", "identity")
    assert len(stored) == 1
    async with supervised(Service("stored lately", stored.run)):
        await until(lambda: not len(stored))


async def test_what_is_settled_and_came_back_is_in_the_tables(harness: LostClaimsHarness, server: NatsServer) -> None:
    """The consumer has had it, so it stays in the stream; nothing may wait for it."""
    client = harness.jetstream.client
    async with harness.jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
    async with server.forgetting(f"{_OUTCOMES}/msgs"):
        await harness.until_sent()
        while (await client.jetstream().stream_info(Names(STREAM).outcomes)).state.messages:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await client.jetstream().stream_info(Names(STREAM).outcomes)).state.messages == 1
    applied, last = await projected(client, STREAM)
    assert applied >= last


async def _shown(harness: LostClaimsHarness, uuid: str) -> None:
    """Until the tables show it as sent."""
    query = "SELECT 1 FROM email_requests WHERE uuid = ? AND status = ?"
    while not await harness.database.fetch(query, (uuid, Status.SENT)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
