"""A ledger that takes nothing: what is not claimed goes back, what was attempted is recorded, nothing is claimed twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from email_consumer.core.ledger import Claim, LedgerBlockedError, NotKeptError
from email_consumer.core.outcome import Duplicate, Interrupted, Sent
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.store.database import open_database
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, policy

AGAIN = replace(ORIGIN, received=2)
LATER = "2999-01-01T00:00:00Z"


async def test_a_locked_file_gives_claims_back_and_keeps_outcomes(path: Path) -> None:
    async with open_database(path) as database:
        ledger = SqliteLedger(database, lambda _message, _origin: None, policy(), patience=0.1)
        async with ledger.running():
            assert isinstance(await ledger.claim(mail("u-1"), ORIGIN), Claim)
            operator = sqlite3.connect(path)
            operator.execute("BEGIN IMMEDIATE")
            finishing = asyncio.create_task(ledger.finish(mail("u-1"), Sent("ses-1"), ORIGIN))
            with pytest.raises(LedgerBlockedError, match="the database accepts no writes: database is locked"):
                await ledger.claim(mail("u-2"), ORIGIN)
            with pytest.raises(NotKeptError, match="database is locked"):
                await ledger.schedule(mail("u-3", scheduled_at=LATER), ORIGIN)
            with pytest.raises(ConnectionError, match="the database accepts no writes"):
                await database.check()
            assert not finishing.done()
            operator.rollback()
            operator.close()
            await finishing
            assert await ledger.claim(mail("u-1"), AGAIN) == Duplicate()
            claim = await ledger.claim(mail("u-2"), AGAIN)
            assert isinstance(claim, Claim)
            assert claim.attempt == 1
            await database.check()


@asynccontextmanager
async def impatient(publisher: Publisher) -> AsyncIterator[JetStreamLedger]:
    ledger = JetStreamLedger(publisher, lambda _message, _origin: None, policy(), stream=STREAM, patience=0.5)
    async with ledger.running():
        yield ledger


async def test_a_full_stream_of_outcomes_stops_claims_and_loses_none(jetstream: JetStreamBackend) -> None:
    operator, name = jetstream.client.jetstream(), Names(STREAM).outcomes
    publisher = Publisher(jetstream.client)
    free = (await operator.stream_info(name)).config
    async with impatient(publisher) as ledger:
        claims = [await ledger.claim(mail(uuid), ORIGIN) for uuid in ("u-1", "u-2")]
        assert all(isinstance(claim, Claim) for claim in claims)
        await operator.update_stream(free.evolve(max_bytes=1))
        for uuid in ("u-1", "u-2"):
            with pytest.raises(LedgerBlockedError, match="outcomes can't be stored: maximum bytes exceeded"):
                await ledger.finish(mail(uuid), Sent(f"ses-{uuid}"), ORIGIN)
            assert ledger.known(mail(uuid)) is None  # or it would be acked before its outcome is published
        for uuid in ("u-1", "u-3"):
            with pytest.raises(LedgerBlockedError, match="outcomes can't be stored"):
                await ledger.claim(mail(uuid), AGAIN)
        with pytest.raises(ConnectionError, match="JetStream takes nothing into messages-outcomes: maximum bytes"):
            await publisher.check()
        await operator.update_stream(free)
        while publisher.blocked(name):  # noqa: ASYNC110 - the batch that is tried again and again finds out
            await asyncio.sleep(0.01)
        await publisher.check()
        assert await ledger.claim(mail("u-1"), AGAIN) == Duplicate()
        assert await ledger.claim(mail("u-2"), AGAIN) == Duplicate()
        assert isinstance(await ledger.claim(mail("u-3"), AGAIN), Claim)
    rows = await jetstream.query("SELECT uuid, status, message_id FROM email_requests ORDER BY uuid")
    assert [tuple(row) for row in rows] == [("u-1", 2, "ses-u-1"), ("u-2", 2, "ses-u-2")]


async def test_a_full_bucket_of_claims_gives_mail_back(jetstream: JetStreamBackend) -> None:
    operator, name = jetstream.client.jetstream(), Names(STREAM).bucket_stream
    publisher = Publisher(jetstream.client)
    free = (await operator.stream_info(name)).config
    await operator.update_stream(free.evolve(max_bytes=1))
    async with impatient(publisher) as ledger:
        with pytest.raises(LedgerBlockedError, match="claims can't be stored: maximum bytes exceeded"):
            await ledger.claim(mail(), ORIGIN)
        with pytest.raises(LedgerBlockedError, match="claims can't be stored: maximum bytes exceeded"):
            await ledger.schedule(mail("u-2", scheduled_at=LATER), ORIGIN)
        with pytest.raises(ConnectionError, match="JetStream takes nothing into KV_messages-claims: maximum bytes"):
            await publisher.check()
        await operator.update_stream(free)
        claim = await ledger.claim(mail(), AGAIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 1
        await publisher.check()


async def no_answer(*_: object, **__: object) -> None:
    """Of JetStream."""
    raise TimeoutError


async def test_a_claim_that_was_stored_after_nobody_waited_for_it_is_nobody_elses_doubt(
    jetstream: JetStreamBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its acknowledgement got lost, and the bucket could not be read before patience ended."""
    publisher = Publisher(jetstream.client, patience=0.1)
    async with impatient(publisher) as ledger:
        publisher._listening = True  # so it never begins to: no acknowledgement arrives
        monkeypatch.setattr(ledger._bucket._jetstream, "get_msg", no_answer)
        with pytest.raises(LedgerBlockedError):
            await ledger.claim(mail(), ORIGIN)
        monkeypatch.undo()
        publisher._listening = False
        claim = await ledger.claim(mail(), AGAIN)
        assert isinstance(claim, Claim)
        assert claim.attempt == 1
        await ledger.finish(mail(), Interrupted(), AGAIN)
        assert isinstance(await ledger.claim(mail(), AGAIN), Claim)
