"""What SES's events prove reaches the workers' bucket, whether or not the tables know the mail."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from email_consumer.cluster.shared_state_publisher import SharedStatePublisher
from email_consumer.core.ledger import Claim
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Busy, Duplicate, Exhausted, Failed, InDoubt, Scheduled, Sent
from email_consumer.feedback.event_reader import read
from email_consumer.feedback.events import Event
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimBucket
from email_consumer.ledgers.jetstream.keeper import ClaimsKeeper
from email_consumer.pipeline.gate import Gate
from email_consumer.roles.remote_workers import AccountMonitor, RemoteWorkers
from email_consumer.store.database import Database, open_database
from tests.factories import ORIGIN, event, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, jetstream_backend, policy
from tests.integration.ledgers.claims_harness import AGAIN, BUCKET, keeper_of, lost_claims_harness
from tests.servers.nats import NatsServer
from tests.waiting import until

KEPT = replace(ORIGIN, kept=True)
"""Of a mail that the scheduler published."""


@asynccontextmanager
async def workers(jetstream: JetStreamBackend) -> AsyncIterator[RemoteWorkers]:
    """As a sidecar has them that was just started."""
    async with open_database(jetstream.path) as database:
        yield remote_workers(jetstream, database, keeper_of(jetstream, database))


def remote_workers(jetstream: JetStreamBackend, database: Database, keeper: ClaimsKeeper) -> RemoteWorkers:
    return RemoteWorkers(
        SharedStatePublisher(jetstream.client, stream=STREAM, replicas=1),
        ClaimBucket(Publisher(jetstream.client), stream=STREAM, idempotency_ttl=3600),
        database,
        Gate(),
        AccountMonitor(Metrics(), None),
        secrets=LinkSecrets("secret"),
        proven=keeper.expect,
    )


def of(uuid: str | None, message_id: str = "ses-1", *, ago: float = 0.0) -> Event:
    """An event about a mail that SES accepted so many seconds ago."""
    found = read(event("Send", uuid, message_id=message_id), 0.0)
    assert isinstance(found, Event)
    return replace(found, accepted_at=time.time() - ago)


async def test_no_worker_sends_what_an_event_proves(tmp_path: Path) -> None:
    async with (
        NatsServer(tmp_path / "nats") as server,
        jetstream_backend(server.url, tmp_path / "email.db") as jetstream,
        jetstream.open() as dead,
        jetstream.open() as alive,
        workers(jetstream) as remote,
    ):
        await dead.claim(mail("u-1"), ORIGIN)
        assert await alive.claim(mail("u-1"), ORIGIN) == Busy()
        for nobody_s in (of("u-2"), of(None), of("*"), of("with space")):
            await remote.proven(nobody_s)
        assert await alive.claim(mail("u-1"), ORIGIN) == Busy()
        await remote.proven(of("u-1"))
        assert await alive.claim(mail("u-1"), ORIGIN) == Duplicate()


async def test_a_proof_that_a_killed_server_forgot_is_there_again(tmp_path: Path) -> None:
    async with (
        NatsServer(tmp_path / "nats") as server,
        jetstream_backend(server.url, tmp_path / "jetstream.db") as jetstream,
        lost_claims_harness(jetstream, tmp_path / "email.db") as harness,
        jetstream.open(policy(grace=0)) as ledger,
        harness.following(),
    ):
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), InDoubt("read time-out"), ORIGIN)
        await until(lambda: harness.database.fetch("SELECT 1 FROM email_requests WHERE in_doubt = 1"))
        async with server.forgetting(f"jetstream/$G/streams/{BUCKET}"):
            await remote_workers(jetstream, harness.database, harness.keeper).proven(of("u-1"))
            async with harness.database.transaction() as connection:  # as the event is applied then
                await connection.execute(
                    "UPDATE email_requests SET status = 2, in_doubt = 0, message_id = 'ses-1', finished_at = ?",
                    (time.time(),),
                )
        await harness.keeper.refresh()
        assert await ledger.claim(mail("u-1"), AGAIN) == Duplicate()


async def test_a_uuid_belongs_to_its_present_mail_since_the_claim_of_that(tmp_path: Path) -> None:
    """The earlier one, which nobody got, must not count as sent by the other's event, while the tables show only that."""
    first, other = mail("u-1"), mail("u-1", email="other@example.com")
    async with (
        NatsServer(tmp_path / "nats") as server,
        jetstream_backend(server.url, tmp_path / "email.db") as jetstream,
        jetstream.open() as ledger,
    ):
        assert await _life(jetstream) == 0, "there is no such mail yet"
        await ledger.claim(first, ORIGIN)
        await ledger.finish(first, Failed("500"), ORIGIN)
        assert await _life(jetstream) <= await _revision(jetstream), "SES may have accepted it"
        await ledger.claim(first, ORIGIN)
        await ledger.finish(first, Exhausted("500"), ORIGIN)
        former = await _revision(jetstream)
        await ledger.claim(other, ORIGIN)
        assert await _life(jetstream) > former
        await ledger.finish(other, Sent("ses-2"), ORIGIN)
        assert await _life(jetstream) > former
        assert await _life(jetstream) <= await _revision(jetstream)


async def test_an_event_of_a_mail_that_the_bucket_has_forgotten_begins_no_other(tmp_path: Path) -> None:
    async with (
        NatsServer(tmp_path / "nats") as server,
        jetstream_backend(server.url, tmp_path / "email.db") as jetstream,
        jetstream.open() as ledger,
    ):
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), Exhausted("500"), ORIGIN)
        bucket = ClaimBucket(Publisher(jetstream.client), stream=STREAM, idempotency_ttl=3600)
        await bucket.forget("u-1", (await bucket.read("u-1")).revision)
        async with workers(jetstream) as remote:
            await remote.proven(of("u-1"))
            assert await remote.life("u-1", "ses-1") == 0


async def test_an_event_about_a_mail_whose_window_is_over_does_not_stop_the_next_one_with_its_uuid(
    tmp_path: Path,
) -> None:
    async with (
        NatsServer(tmp_path / "nats") as server,
        jetstream_backend(server.url, tmp_path / "email.db") as jetstream,
        jetstream.open() as ledger,
        workers(jetstream) as remote,
    ):
        await remote.proven(of("u-1", ago=7_200))
        assert isinstance(await ledger.claim(mail("u-1"), ORIGIN), Claim)
        await remote.proven(of("u-2", ago=60))  # it may have been sent before there was a bucket
        assert await ledger.claim(mail("u-2"), ORIGIN) == Duplicate()


async def test_an_event_about_a_forgotten_mail_does_not_count_the_next_one_with_its_uuid_as_sent(
    tmp_path: Path,
) -> None:
    later = mail("u-1", scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    async with (
        NatsServer(tmp_path / "nats") as server,
        jetstream_backend(server.url, tmp_path / "email.db") as jetstream,
        jetstream.open() as ledger,
        open_database(jetstream.path) as database,
    ):
        assert await ledger.schedule(later, ORIGIN) == Scheduled()
        async with database.transaction() as connection:  # as the sidecar keeps it
            await connection.execute(
                "INSERT INTO email_requests (uuid, email, status, source, created_at, updated_at)"
                " VALUES ('u-1', 'jane@example.com', 0, 'nats', ?, 0)",
                (time.time(),),
            )
        remote = remote_workers(jetstream, database, keeper_of(jetstream, database))
        await remote.proven(of("u-1", ago=7_200))
        assert isinstance(await ledger.claim(later, KEPT), Claim)
        await remote.proven(of("u-1", ago=60))
        assert await ledger.claim(later, KEPT) == Duplicate()


async def _life(jetstream: JetStreamBackend) -> int:
    async with workers(jetstream) as remote:
        return await remote.life("u-1", "ses-2")


async def _revision(jetstream: JetStreamBackend) -> int:
    """Of what the tables show."""
    [row] = await jetstream.query("SELECT revision FROM email_requests WHERE uuid = 'u-1'")
    return int(row["revision"])


async def test_what_the_tables_show_as_sent_costs_no_look_into_the_bucket(tmp_path: Path) -> None:
    async with (
        NatsServer(tmp_path / "nats") as server,
        jetstream_backend(server.url, tmp_path / "email.db") as jetstream,
        jetstream.open() as ledger,
    ):
        await ledger.claim(mail("u-1"), ORIGIN)
        await ledger.finish(mail("u-1"), Sent("ses-1"), ORIGIN)
        assert len(await jetstream.query("SELECT 1 FROM email_requests WHERE status = 2")) == 1
        async with workers(jetstream) as remote:
            await server.stop()
            await remote.proven(of("u-1"))
            assert await remote.life("u-1", "ses-1") == 0
