"""A worker is killed with claims in hand: in doubt once the lease is over, then an event or the policy decides."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from dataclasses import replace

import pytest

from email_consumer.core.ledger import Claim, ClaimAnswer, Ledger
from email_consumer.core.outcome import Busy, Duplicate, InDoubt, Parked
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import JetStreamBackend, policy
from tests.integration.ledgers.test_jetstream import confirm
from tests.servers.nats import NatsServer

LEASE = 1.0
AGAIN = replace(ORIGIN, received=2)


@pytest.fixture
async def orphaned(server: NatsServer, jetstream: JetStreamBackend) -> JetStreamBackend:
    """A bucket in which a dead worker holds u-1 and u-2."""
    claimer = "tests.integration.ledgers.claimer"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", claimer, server.url, "u-1", "u-2", stdout=PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"claimed\n"
    process.kill()
    await process.wait()
    return jetstream


async def test_the_lease_holds_then_the_claim_is_in_doubt_then_it_is_resent(orphaned: JetStreamBackend) -> None:
    async with orphaned.open(policy(grace=1000)) as ledger:
        assert await ledger.claim(mail("u-1"), AGAIN) == Busy()
    async with orphaned.open(policy(grace=1000), lease=LEASE) as ledger:
        assert isinstance(await once_the_lease_is_over(ledger, "u-1"), InDoubt)
    async with orphaned.open(policy(grace=0), lease=LEASE) as ledger:
        ledger.events_expected_from(0)
        claim = await ledger.claim(mail("u-1"), AGAIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 2


async def test_park_never_resends(orphaned: JetStreamBackend) -> None:
    async with orphaned.open(policy(in_doubt="park"), lease=LEASE) as ledger:
        assert isinstance(await once_the_lease_is_over(ledger, "u-1"), Parked)


async def test_an_event_settles_the_one_that_was_sent(orphaned: JetStreamBackend) -> None:
    await confirm(orphaned, "u-1", "ses-1")
    async with orphaned.open(policy(grace=1000), lease=LEASE) as ledger:
        assert await ledger.claim(mail("u-1"), AGAIN) == Duplicate()
        assert isinstance(await once_the_lease_is_over(ledger, "u-2"), InDoubt)
    rows = await orphaned.query("SELECT uuid, status, in_doubt FROM email_requests ORDER BY uuid")
    assert [tuple(row) for row in rows] == [("u-1", 2, 0), ("u-2", 1, 1)]


async def once_the_lease_is_over(ledger: Ledger, uuid: str) -> ClaimAnswer:
    """Nothing tells but asking."""
    while (answer := await ledger.claim(mail(uuid), AGAIN)) == Busy():
        pass
    return answer
