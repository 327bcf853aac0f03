"""How things stand, asked of a real nats-server and a real file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.api import RetentionPolicy

from email_consumer.core.account import Account
from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.metrics import Metrics
from email_consumer.core.source import QueueDepth, SourceStats
from email_consumer.dashboard.snapshot import Part, Quota
from email_consumer.dashboard.snapshot_reader import SnapshotReader
from email_consumer.message.lane import Lane
from email_consumer.sources.jetstream.stream_stats import StreamStats
from email_consumer.store.database import Database, open_database
from tests.memory_source import MemorySource
from tests.servers.nats import NatsServer

ACCOUNT = Account(50, 1000, 100, sending_enabled=True, enforcement_status="HEALTHY", production_access=False)


@asynccontextmanager
async def stream(directory: Path, retention: RetentionPolicy) -> AsyncIterator[tuple[NatsServer, Any, StreamStats]]:
    """With a consumer; and its statistics."""
    async with NatsServer(directory / "nats") as server:
        client = await nats.connect(server.url, allow_reconnect=False, error_cb=_ignore)
        jetstream = client.jetstream()
        await jetstream.add_stream(name="messages", subjects=["messages.*"], retention=retention)
        await jetstream.add_stream(name="messages-dead", subjects=["messages-dead.*"])
        await jetstream.pull_subscribe("messages.email", durable="email-processor")
        yield server, client, StreamStats(client, stream="messages", consumer="email-processor")
        await client.close()


async def _ignore(_: Exception) -> None: ...


@pytest.mark.parametrize("retention", [RetentionPolicy.WORK_QUEUE, RetentionPolicy.LIMITS])
async def test_the_oldest_unsettled_mail_is_found_in_a_stream_of_any_retention(
    tmp_path: Path, retention: RetentionPolicy
) -> None:
    async with stream(tmp_path, retention) as (_, client, gauge):
        jetstream = client.jetstream()
        assert await gauge.read(0) == SourceStats(QueueDepth(0, None), 0)
        for number in range(3):
            await jetstream.publish("messages.email", b"%d" % number)
        await jetstream.publish("messages-dead.rejected", b"x")
        consumer = await jetstream.pull_subscribe_bind("email-processor", "messages")
        first, _ = await consumer.fetch(2, timeout=5)
        await first.ack_sync()
        stats = await gauge.read(1)  # the second one is unsettled
        queue = stats.queue
        assert queue is not None
        assert (queue.waiting, stats.dead_letters) == (1, 1)
        second = await jetstream.get_msg("messages", 2)
        assert queue.oldest_at == pytest.approx(second.time.timestamp(), abs=1e-3)


async def test_the_oldest_mail_is_the_oldest_of_its_lane(tmp_path: Path) -> None:
    async with stream(tmp_path, RetentionPolicy.WORK_QUEUE) as (_, client, bulk):
        jetstream = client.jetstream()
        await jetstream.pull_subscribe("messages.transactional", durable="email-processor-transactional")
        transactional = StreamStats(client, stream="messages", consumer="email-processor-transactional")
        for subject in ("messages.other", "messages.email", "messages.email", "messages.transactional"):
            await jetstream.publish(subject, b"x")
        stored = {number: (await jetstream.get_msg("messages", number)).time.timestamp() for number in (2, 4)}
        for stats, waiting, oldest in [(bulk, 2, stored[2]), (transactional, 1, stored[4])]:
            queue = (await stats.read(0)).queue
            assert queue is not None
            assert queue.waiting == waiting
            assert queue.oldest_at == pytest.approx(oldest, abs=1e-3)


async def test_each_lane_has_its_queue_and_both_together_are_the_queue(tmp_path: Path) -> None:
    bulk, transactional = MemorySource(), MemorySource()
    transactional.name, transactional.lane = "memory-transactional", Lane.TRANSACTIONAL
    transactional.error = "the consumer is gone"
    await bulk.mail_queue.publish([(b"1", {}), (b"2", {})])
    await transactional.mail_queue.publish([(b"3", {})])
    async with open_database(tmp_path / "email.db") as database:
        state = await _reader(database, [bulk, transactional], Metrics(unsettled=2, unsettled_transactional=1)).take()
        assert state.queue is not None
        assert state.queue.waiting == 1
        assert {lane: queue.waiting for lane, queue in state.lanes.items() if queue} == {"bulk": 1, "transactional": 0}
        oldest = [queue.oldest_at for queue in state.lanes.values() if queue and queue.oldest_at]
        assert state.queue.oldest_at == min(oldest)
        assert [part for part in state.parts if part.name == "MEMORY"] == [
            Part("MEMORY", "down", "the consumer is gone")
        ]
        assert "Lanes" not in {part.name for part in state.parts}


async def test_a_single_lane_is_shown_with_its_reason(tmp_path: Path) -> None:
    source = MemorySource()
    source.one_lane = "SUBJECT 'messages.*' covers 'messages.transactional'"
    async with open_database(tmp_path / "email.db") as database:
        state = await _reader(database, [source], Metrics(bulk_held="the quota's reserve")).take()
        parts = {part.name: part for part in state.parts}
        assert parts["Lanes"].condition == "off"
        assert source.one_lane in parts["Lanes"].text
        assert list(state.lanes) == ["bulk"]
        assert parts["SES"] == Part("SES", "held", "bulk mail only: the quota's reserve")


def _reader(database: Database, sources: list[MemorySource], metrics: Metrics) -> SnapshotReader:
    return SnapshotReader(
        metrics=metrics,
        sources=sources,
        checks={},
        unconsumed=Unconsumed,
        database=database,
        account=lambda: None,
        refused={},
        expects_events=False,
    )


async def test_a_missing_server_is_shown_as_unknown(tmp_path: Path) -> None:
    async with stream(tmp_path, RetentionPolicy.WORK_QUEUE) as (server, _, gauge):
        await server.kill()
        assert await gauge.read(0) == SourceStats()


async def test_everything_is_shown_and_each_error_has_its_part(tmp_path: Path) -> None:
    async def paused() -> None:
        raise ConnectionError("the consumer is paused")

    source, gone = MemorySource(), MemorySource()
    gone.name = gone.origin = "sqs"
    gone.error = "not connected"
    unconsumed = Unconsumed((("messages.other", 2),))
    metrics, refused = Metrics(unsettled=3, in_flight=2, recipients_sent=7), {"signature": 2, "topic": 1}
    account: Account | None = ACCOUNT
    async with open_database(tmp_path / "email.db") as database:
        snapshot_reader = SnapshotReader(
            metrics=metrics,
            sources=[source, gone],
            checks={"memory": source.check, "sqs": gone.check, "consumer": paused},
            unconsumed=lambda: unconsumed,
            database=database,
            account=lambda: account,
            refused=refused,
            expects_events=True,
        )
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO email_requests (uuid, email, status, in_doubt, source, created_at, updated_at)"
                " VALUES ('u', 'a@example.com', 1, 1, 'nats', 0, 0)"
            )
        state = await snapshot_reader.take()
        assert (state.unsettled, state.in_flight, state.in_doubt, state.dead_letters) == (3, 2, 1, 0)
        parts = {part.name: part for part in state.parts}
        assert parts["MEMORY"] == Part("MEMORY", "up", "connected")
        assert parts["SQS"] == Part("SQS", "down", "not connected")
        assert parts["SES"] == Part("SES", "up", "HEALTHY, 50/s, in SES's sandbox: verified recipients only")
        assert parts["SNS"] == Part("SNS", "up", "no event yet; refused 3 (signature 2, topic 1)")
        assert parts["SQLite"].condition == "up"
        assert parts["Consumer"] == Part("Consumer", "held", "the consumer is paused")
        assert parts["Stream"] == Part(
            "Stream",
            "held",
            "2 messages on subjects that no consumer reads, so they are never sent: messages.other (2)",
        )
        unconsumed = Unconsumed()
        assert "Stream" not in {part.name for part in (await snapshot_reader.take()).parts}

        assert state.quota == Quota(100, 1000)
        metrics.recipients_sent += 5  # counted by us until SES is asked again
        assert (await snapshot_reader.take()).quota == Quota(105, 1000)
        account = Account(50, None, 110, sending_enabled=True, enforcement_status="HEALTHY", production_access=True)
        assert (await snapshot_reader.take()).quota == Quota(110, None)
        account, metrics.held = None, "paused by anna@example.com"
        state = await snapshot_reader.take()
        assert state.quota is None
        assert state.parts[2] == Part("SES", "held", "paused by anna@example.com")
        assert "anna" not in str(state.public())


async def test_without_topics_sns_is_off(tmp_path: Path) -> None:
    async with open_database(tmp_path / "email.db") as database:
        *_, sns = (await _reader(database, [MemorySource()], Metrics()).take()).parts
        assert (sns.name, sns.condition) == ("SNS", "off")
