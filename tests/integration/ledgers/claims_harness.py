"""A claims bucket that can be lost, the sidecar's tables that refill it, and mail of a stream."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path

from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig

from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.ledger import Origin
from email_consumer.core.mail_queue import Delivered
from email_consumer.core.metrics import Metrics
from email_consumer.core.unsent import Unsent
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.keeper import ClaimsKeeper
from email_consumer.ledgers.jetstream.projection import Projection
from email_consumer.ledgers.jetstream.refill import MailConsumers
from email_consumer.ledgers.jetstream.scheduling import ScheduledMail
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.message.model import EmailMessage, encode
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from email_consumer.store.database import Database, open_database
from tests.factories import ORIGIN
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, policy
from tests.integration.ledgers.sidecar import consuming

BUCKET = Names(STREAM).bucket_stream
CONSUMER = "email-processor"
AGAIN = replace(ORIGIN, reference="messages:99", sequence=99)


@dataclass
class LostClaimsHarness:
    """The sidecar's file, and mail in a stream of its own."""

    jetstream: JetStreamBackend
    database: Database
    keeper: ClaimsKeeper

    async def lose(self) -> None:
        await self.jetstream.client.jetstream().delete_stream(BUCKET)

    async def deliver(self, *mails: EmailMessage) -> list[Origin]:
        """To somebody, who has them in hand from here on."""
        context = self.jetstream.client.jetstream()
        for each in mails:
            await context.publish(f"{STREAM}.email", encode(each))
        subscription = await context.pull_subscribe_bind(CONSUMER, STREAM)
        delivered = await subscription.fetch(len(mails), timeout=10)
        await subscription.unsubscribe()
        return [
            Origin("nats", f"{STREAM}:{each.metadata.sequence.stream}", each.metadata.sequence.stream, time.time())
            for each in delivered
        ]

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """The tables follow what workers tell, until the block ends."""
        client, names = self.jetstream.client, Names(STREAM)
        projection = Projection(self.database, shown=self.keeper.take)
        scheduled = ScheduledMail(
            self.database,
            lambda *_: None,
            JetStreamDeadLetters(client, stream=STREAM, subject=f"{STREAM}.email", replicas=1),
            Unsent(Metrics()),
            dead_letter_writer=DeadLetterWriter(),
            kept=lambda: None,
            idempotency_ttl=3600,
        )
        async with (
            projection.running(),
            scheduled.running(),
            consuming(client, names.outcomes, projection.handle),
            consuming(client, names.scheduled, scheduled.handle),
        ):
            yield

    async def until_sent(self) -> None:
        """Until the tables show the mail as sent."""
        async with self.following():
            while not await self.database.fetch("SELECT 1 FROM email_requests WHERE status = 2"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def refill(self) -> None:
        """As a running sidecar does once it has noticed."""
        async with self.following():
            await self.keeper.refresh()


@asynccontextmanager
async def lost_claims_harness(jetstream: JetStreamBackend, path: Path) -> AsyncIterator[LostClaimsHarness]:
    """With the mail stream, its consumer, and a bucket that the sidecar has adopted."""
    context = jetstream.client.jetstream()
    retention = RetentionPolicy.WORK_QUEUE
    await context.add_stream(StreamConfig(name=STREAM, subjects=[f"{STREAM}.*"], retention=retention))
    consumer = ConsumerConfig(durable_name=CONSUMER, ack_policy=AckPolicy.EXPLICIT, filter_subject=f"{STREAM}.email")
    await context.add_consumer(STREAM, consumer)
    async with open_database(path) as database:
        keeper = keeper_of(jetstream, database)
        await keeper.prepare()
        yield LostClaimsHarness(jetstream, database, keeper)


def keeper_of(jetstream: JetStreamBackend, database: Database) -> ClaimsKeeper:
    async def delivered() -> Delivered:
        info = await jetstream.client.jetstream().consumer_info(STREAM, CONSUMER)
        assert info.delivered
        return Delivered(info.delivered.stream_seq, 0, "s")

    return ClaimsKeeper(
        Publisher(jetstream.client),
        database,
        MailConsumers(jetstream.client, STREAM, CONSUMER, f"{CONSUMER}-transactional", UTC),
        policy(),
        replicas=1,
        delivered=delivered,
    )
