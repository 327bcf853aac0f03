"""A restart of nats-server leaves the bucket of claims as it was, also of a version that would have emptied it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import Duplicate, Sent
from email_consumer.jetstream.api import ask
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend
from tests.integration.ledgers.claims_harness import AGAIN, BUCKET, LostClaimsHarness, lost_claims_harness


@pytest.fixture
async def harness(jetstream: JetStreamBackend, path: Path) -> AsyncIterator[LostClaimsHarness]:
    async with lost_claims_harness(jetstream, path) as harness:
        yield harness


async def info(harness: LostClaimsHarness) -> dict[str, Any]:
    return await ask(harness.jetstream.client, f"STREAM.INFO.{BUCKET}")


async def holds_its_first_number(harness: LostClaimsHarness) -> bool:
    """Whether nats-server before 2.11.2 would empty the bucket when it restarts."""
    bucket = await info(harness)
    return bool(bucket["state"]["first_seq"] == bucket["config"]["first_seq"])


async def test_a_new_bucket(harness: LostClaimsHarness) -> None:
    async with harness.jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
    await harness.until_sent()
    await harness.lose()
    await harness.refill()
    assert not await holds_its_first_number(harness)


async def test_a_bucket_whose_creation_was_cut_off(harness: LostClaimsHarness) -> None:
    await harness.lose()
    await harness.keeper.make()
    await harness.refill()
    assert not await holds_its_first_number(harness)


async def test_a_bucket_that_begins_with_its_mark(harness: LostClaimsHarness) -> None:
    await harness.lose()
    claims = ClaimsStream(harness.jetstream.client, STREAM)
    await claims.create(replicas=1)
    await claims.mark(refilled=True)
    await claims.open()
    assert await holds_its_first_number(harness)
    async with harness.jetstream.open() as ledger:
        assert isinstance(await ledger.claim(mail(), ORIGIN), Claim)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
        await harness.keeper.prepare()
        assert not await holds_its_first_number(harness)
        assert (await claims.state()).whole
        before = (await info(harness))["state"]
        await harness.keeper.prepare()
        assert (await info(harness))["state"] == before, "once is enough"
    async with harness.jetstream.open() as other:
        assert await other.claim(mail(), AGAIN) == Duplicate()
