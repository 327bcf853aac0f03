"""Servers die while claims and outcomes are on their way: nothing is lost, nothing is claimed twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from email_consumer.core.ledger import Claim, ClaimAnswer, LedgerBlockedError, Origin
from email_consumer.core.outcome import Busy, Duplicate, Sent
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.rule import LEASE
from email_consumer.runtime.clock import elapsed
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, jetstream_backend, policy
from tests.servers.nats import NatsServer
from tests.servers.nats_cluster import NatsCluster

MAILS = 400
_NAK_DELAY = 0.1
"""Seconds."""
REDELIVERED = replace(ORIGIN, received=2)


class Work:
    """Two workers are delivered the same mails; at `halfway` a part of them is sent."""

    def __init__(self) -> None:
        self.claims: Counter[str] = Counter()
        self.halfway = asyncio.Event()
        self._limit = asyncio.Semaphore(50)

    async def run(self, *ledgers: JetStreamLedger) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(MAILS):
                for ledger in ledgers:
                    tasks.create_task(self._deliver(ledger, f"u-{number}"))

    async def _deliver(self, ledger: JetStreamLedger, uuid: str) -> None:
        async with self._limit:
            if not isinstance(await self._claim(ledger, uuid), Claim):
                return
            self.claims[uuid] += 1
            if len(self.claims) == MAILS // 4:
                self.halfway.set()
            try:
                await ledger.finish(mail(uuid), Sent(f"ses-{uuid}"), ORIGIN)
            except LedgerBlockedError:  # the mail goes back, and its next delivery has the outcome published
                assert await self._claim(ledger, uuid, REDELIVERED) == Duplicate()

    @staticmethod
    async def _claim(ledger: JetStreamLedger, uuid: str, origin: Origin = ORIGIN) -> ClaimAnswer:
        while True:
            with suppress(LedgerBlockedError):
                return await ledger.claim(mail(uuid), origin)
            # The mail goes back, and is delivered again, but not at once: a refusal needs no waiting, and a loop of them
            # would leave no time to what stores the outcomes, as long as they are taken for blocked: a minute.
            await asyncio.sleep(_NAK_DELAY)


async def work_through(backend: JetStreamBackend, outage: Callable[[], Awaitable[None]]) -> None:
    work = Work()
    # A lease that no pause of this machine outlasts: both would claim a mail rightly then.
    async with backend.open(lease=3_600) as one, backend.open(lease=3_600) as other:
        working = asyncio.create_task(work.run(one, other))
        await work.halfway.wait()
        assert not working.done()
        await outage()
        await working
    assert work.claims == Counter(f"u-{number}" for number in range(MAILS))
    rows = await backend.query("SELECT uuid, status, attempts, message_id FROM email_requests")
    assert {tuple(row) for row in rows} == {(f"u-{n}", 2, 1, f"ses-u-{n}") for n in range(MAILS)}


async def test_the_server_is_killed_and_comes_back(server: NatsServer, jetstream: JetStreamBackend) -> None:
    async def outage() -> None:
        await server.kill()
        await server.restart()

    await work_through(jetstream, outage)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[NatsCluster]:
    async with NatsCluster(tmp_path / "cluster") as cluster:
        yield cluster


async def test_the_leader_of_the_claims_is_killed(cluster: NatsCluster, path: Path) -> None:
    async with jetstream_backend(cluster.urls, path, replicas=3) as backend:

        async def outage() -> None:
            info = await backend.client.jetstream().stream_info(Names(STREAM).bucket_stream)
            assert info.cluster is not None
            await cluster.nodes[info.cluster.leader or ""].kill()

        await work_through(backend, outage)


async def test_a_claim_whose_acknowledgement_got_lost_holds(jetstream: JetStreamBackend) -> None:
    publisher = Publisher(jetstream.client)
    publisher._listening = True  # so it never begins to: no acknowledgement arrives
    ledger = JetStreamLedger(publisher, lambda _message, _origin: None, policy(), stream=STREAM)
    before = elapsed()
    claim = await ledger.claim(mail(), ORIGIN)
    assert isinstance(claim, Claim)
    assert claim.attempt == 1
    # Counted from the write that may have been the one, and not from the next, which came after two seconds of waiting.
    assert claim.deadline < before + LEASE / 2 + 2
    async with jetstream.open() as other:
        assert await other.claim(mail(), ORIGIN) == Busy()
    publisher._listening = False
    async with ledger.running():
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
    (row,) = await jetstream.query("SELECT status, attempts FROM email_requests")
    assert tuple(row) == (2, 1)
