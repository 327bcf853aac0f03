"""All sources on their real parts, opened in one way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from nats.aio.client import Client

from email_consumer.core.source import Source
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.source import JetStreamSource
from email_consumer.sources.jetstream.topology import Topology
from email_consumer.sources.sqs.dead_letters import SqsDeadLetters
from email_consumer.sources.sqs.mail_queue import SqsMailQueue
from email_consumer.sources.sqs.source import SqsSource
from tests.integration.sources.sqs_source import opened
from tests.memory_source import MemorySource
from tests.servers.sqs import SqsServer, TestQueue

NAMES = {"stream": "messages", "subject": "messages.email", "consumer": "c"}


class SourceBackend(Protocol):
    """A source, and its dead letters as an operator sees them."""

    @property
    def source(self) -> Source: ...

    @property
    def remembers(self) -> bool:
        """Whether its dead-letter store recognizes an original that it has already."""

    async def dead_letters(self) -> list[bytes]:
        """Their payloads."""


@dataclass
class JetStreamBackend:
    """On a real nats-server."""

    source: JetStreamSource
    remembers = True

    async def dead_letters(self) -> list[bytes]:
        archive = self.source.dead_letters
        return [(await archive.get(letter.sequence)).payload for letter in await archive.list()]


@dataclass
class SqsBackend:
    """On moto's server. SQS itself remembers nothing."""

    source: SqsSource
    dead: TestQueue
    remembers = False

    async def dead_letters(self) -> list[bytes]:
        return [letter["Body"].encode() for letter in await self.dead.take_all()]


@dataclass
class MemoryBackend:
    """A list."""

    source: MemorySource
    remembers = True

    async def dead_letters(self) -> list[bytes]:
        return [letter.payload for letter in self.source.dead_letters.kept.values()]


@asynccontextmanager
async def jetstream(client: Client, ack_wait: float) -> AsyncIterator[JetStreamBackend]:
    """`ack_wait` in seconds, here and below."""
    topology = Topology(client, MailStream(**NAMES, ack_wait=ack_wait, concurrency=100, replicas=1))
    await topology.ensure()
    lease = ConsumerLease(client, stream="messages", key="c", what="the consumer", ledger="test", replicas=1)
    await lease.acquire()
    yield JetStreamBackend(JetStreamSource(client, topology, lease))


@asynccontextmanager
async def sqs(server: SqsServer, ack_wait: float) -> AsyncIterator[SqsBackend]:
    mail, dead = await server.create_queue_with_dead_letters("mail")
    async with opened(server, mail) as queue, opened(server, dead) as letters:
        mail_queue = await SqsMailQueue.of(queue)
        yield SqsBackend(SqsSource(queue, mail_queue, SqsDeadLetters(letters), visibility=ack_wait), dead)


@asynccontextmanager
async def memory(ack_wait: float) -> AsyncIterator[MemoryBackend]:
    yield MemoryBackend(MemorySource(ack_wait))
