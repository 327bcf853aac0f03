"""Mail from JetStream: the connection, the stream and its consumer, and the right to them."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.daemon.background import Background
from email_consumer.daemon.faults import ConnectionLostError
from email_consumer.delivery import Delivery
from email_consumer.intake.connection import close, connect
from email_consumer.intake.dead_letters import DeadLetters
from email_consumer.intake.jetstream import JetStreamIntake
from email_consumer.intake.queue_state import JetStreamQueue
from email_consumer.intake.tenancy import Tenancy
from email_consumer.intake.topology import Topology
from email_consumer.ledger.decision import Inheritance
from email_consumer.nats_endpoint import nats_endpoint
from email_consumer.settings import Settings
from email_consumer.slots import Slots
from email_consumer.store.database import Database
from email_consumer.store.facts import keep_fact, set_fact

_FLUSH_TIMEOUT = 2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NatsSource:
    """The stream as a source of mail, and what stands beside it in NATS."""

    settings: Settings
    client: Client
    topology: Topology
    mail_queue: JetStreamQueue
    dead_letters: DeadLetters
    tenancy: Tenancy
    inheritance: Inheritance

    def intake(self, slots: Slots, start: Callable[[Delivery], None]) -> JetStreamIntake:
        """Not yet running."""
        return JetStreamIntake(
            self.client,
            stream=self.settings.stream,
            consumer=self.settings.consumer,
            slots=slots,
            start=start,
            repair=self.topology.ensure,
        )

    async def flush(self) -> None:
        """Wait until the server has what deliveries were settled with."""
        try:
            await self.client.flush(timeout=_FLUSH_TIMEOUT)
        except (NatsError, TimeoutError, OSError) as error:
            _log.warning("daemon.acks_not_flushed", error=repr(error), hint="the ledger knows what was sent")

    async def check(self) -> None:
        """Raise if the server can't be reached now."""
        if not self.client.is_connected:
            raise ConnectionError("not connected")
        if asyncio.get_running_loop().time() > self.tenancy.valid_until:
            raise ConnectionError("the right to the consumer can't be renewed")


async def open_nats(
    settings: Settings, database: Database, background: list[Background], stack: AsyncExitStack
) -> NatsSource:
    """Connect, make stream and consumer if they are absent, and wait until the consumer is ours."""
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    client = await connect(nats_endpoint(settings), on_lost=lambda error: _fail(lost, error))
    stack.push_async_callback(close, client)
    topology = _topology(settings, client)
    await topology.ensure()
    tenancy, inheritance = await _tenancy(settings, client, database, topology)
    stack.push_async_callback(tenancy.release)
    background += [("tenancy", tenancy.keep), ("connection", lambda: _await(lost))]
    stream, subject = settings.stream, settings.subject
    return NatsSource(
        settings=settings,
        client=client,
        topology=topology,
        mail_queue=JetStreamQueue(client, stream=stream, subject=subject, consumer=settings.consumer),
        dead_letters=DeadLetters(client, stream=stream, subject=subject, replicas=settings.nats_replicas),
        tenancy=tenancy,
        inheritance=inheritance,
    )


def _topology(settings: Settings, client: Client) -> Topology:
    return Topology(
        client,
        stream=settings.stream,
        subject=settings.subject,
        consumer=settings.consumer,
        ack_wait=settings.ack_wait,
        concurrency=settings.concurrency_limit,
        replicas=settings.nats_replicas,
    )


async def _tenancy(
    settings: Settings, client: Client, database: Database, topology: Topology
) -> tuple[Tenancy, Inheritance]:
    tenancy = Tenancy(
        client,
        stream=settings.stream,
        consumer=settings.consumer,
        ledger=await keep_fact(database, "ledger", lambda: uuid4().hex),
        replicas=settings.nats_replicas,
    )
    if await tenancy.acquire():
        await set_fact(database, "inheritance", json.dumps([await topology.delivered(), time.time()]))
    sequence, since = json.loads(await keep_fact(database, "inheritance", lambda: "[0, 0]"))
    return tenancy, Inheritance(sequence, since)


async def _await(future: "asyncio.Future[None]") -> None:
    await future


def _fail(lost: "asyncio.Future[None]", error: Exception) -> None:
    if not lost.done():
        lost.set_exception(ConnectionLostError(f"NATS closed the connection for good: {error}"))
