"""What every role starts with: the connection to NATS, the ledger's file, and the right to the consumer."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import uuid4

from nats.aio.client import Client

from email_consumer.admission.gate import Gate
from email_consumer.intake.connection import close, connect
from email_consumer.intake.dead_letters import DeadLetters
from email_consumer.intake.tenancy import Tenancy
from email_consumer.intake.topology import Topology
from email_consumer.ledger.decision import Inheritance
from email_consumer.meters import Meters
from email_consumer.nats_endpoint import nats_endpoint
from email_consumer.settings import Settings
from email_consumer.store.database import Database, open_database
from email_consumer.store.facts import keep_fact, set_fact

Background = tuple[str, Callable[[], Coroutine[None, None, None]]]
"""A task that runs beside everything else, and its name."""


class DaemonError(Exception):
    """The daemon can't start or go on; the text tells in plain words what to mend."""


class ConnectionLostError(Exception):
    """The NATS server will have no more to do with us; a restart may help, waiting won't."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the roles stand on."""

    settings: Settings
    meters: Meters
    gate: Gate
    database: Database
    client: Client
    topology: Topology
    dead_letters: DeadLetters
    tenancy: Tenancy
    inheritance: Inheritance
    secret: str
    """Signs the links in mails."""
    background: list[Background] = field(default_factory=list)


async def prepare(settings: Settings, stack: AsyncExitStack) -> Ground:
    """Connect, make stream and consumer if they are absent, and wait until the consumer is ours."""
    database = await stack.enter_async_context(open_database(settings.db_path))
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    client = await connect(nats_endpoint(settings), on_lost=lambda error: _fail(lost, error))
    stack.push_async_callback(close, client)
    topology = _topology(settings, client)
    await topology.ensure()
    tenancy, inheritance = await _tenancy(settings, client, database, topology)
    stack.push_async_callback(tenancy.release)
    ground = Ground(
        settings=settings,
        meters=Meters(),
        gate=Gate(),
        database=database,
        client=client,
        topology=topology,
        dead_letters=DeadLetters(
            client, stream=settings.stream, subject=settings.subject, replicas=settings.nats_replicas
        ),
        tenancy=tenancy,
        inheritance=inheritance,
        secret=await keep_fact(database, "secret", lambda: uuid4().hex),
    )
    ground.background.append(("tenancy", tenancy.keep))
    ground.background.append(("connection", lambda: _await(lost)))
    return ground


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
