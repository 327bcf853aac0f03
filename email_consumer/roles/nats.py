"""JetStream for a role: the connection, the stream with its consumer, and the consumer lease."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from nats.aio.client import Client

from email_consumer.jetstream.connection import close, connect
from email_consumer.jetstream.connection_errors import ConnectionLostError
from email_consumer.ledgers.jetstream.takeover import renew_takeover
from email_consumer.roles.waiting_server import WaitingServer
from email_consumer.runtime.supervisor import OnCrash, Service, Supervisor
from email_consumer.settings import Settings
from email_consumer.settings.mail_topology import mail_topology
from email_consumer.settings.nats_endpoint import nats_endpoint
from email_consumer.sources.jetstream.consumer import consumer_in_use
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease, OnTakeover
from email_consumer.sources.jetstream.source import JetStreamSource
from email_consumer.sources.jetstream.topology import Topology

_LEDGER = "jetstream"
"""The identity of the ledger that all workers share."""


@dataclass(frozen=True, slots=True)
class NatsLink:
    """A connection with an existing stream and consumer, but without the consumer lease."""

    settings: Settings
    client: Client
    topology: Topology

    def consumer_lease(self, ledger: str, *, shared: bool) -> ConsumerLease:
        """The consumer lease for the ledger with this identity."""
        consumer = self.settings.consumer
        in_use = partial(consumer_in_use, self.client, self.settings.stream, consumer)
        return self._lease(consumer, f"the consumer {consumer!r}", ledger, in_use, shared=shared)

    def role_lease(self, role: str, ledger: str, *, stream: str, consumer: str) -> ConsumerLease:
        """The lease on a role of which there may be only one process; its holder uses that consumer."""
        in_use = partial(consumer_in_use, self.client, stream, consumer)
        return self._lease(f"role.{role}", f"the {role} lease", ledger, in_use, shared=False)

    async def source(self, lease: ConsumerLease) -> JetStreamSource:
        """The source of bulk mail that the lease gives access to; the other lane is `source.transactional()`.

        Raises:
            TopologyError: something has to be changed by hand.
            nats.errors.Error: JetStream did not answer.
        """
        settings, transactional = self.settings, self.topology.transactional
        if transactional.missing and not transactional.conflict:  # it may have been added while we waited for the lease
            await self.topology.ensure()
        return JetStreamSource(
            self.client,
            self.topology,
            lease,
            stream=settings.stream,
            subject=settings.subject,
            consumer=settings.consumer,
            replicas=settings.nats_replicas,
        )

    def _lease(
        self, key: str, what: str, ledger: str, in_use: Callable[[], Awaitable[bool]], *, shared: bool
    ) -> ConsumerLease:
        settings = self.settings
        return ConsumerLease(
            self.client,
            stream=settings.stream,
            key=key,
            what=what,
            ledger=ledger,
            replicas=settings.nats_replicas,
            shared=shared,
            in_use=in_use,
        )


async def open_connection(settings: Settings, services: Supervisor) -> Client:
    """Connect until the process ends; it ends at once if the server closes the connection for good."""
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    client = await connect(nats_endpoint(settings), on_lost=lambda error: _fail(lost, error))
    services.at_end(partial(close, client))
    services.start(Service("connection", lambda: _await(lost), on_crash=OnCrash.EXIT))
    return client


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """A separate connection for a while.

    Raises:
        NatsConnectError: in plain words, with what to check.
    """
    client = await connect(nats_endpoint(settings))
    try:
        yield client
    finally:
        await close(client)


async def connect_nats(settings: Settings, services: Supervisor) -> NatsLink:
    """Connect, and create stream and consumer if they are missing."""
    client = await open_connection(settings, services)
    topology = mail_topology(client, settings)
    await topology.ensure()
    return NatsLink(settings, client, topology)


async def hold(
    lease: ConsumerLease,
    settings: Settings,
    services: Supervisor,
    on_takeover: OnTakeover | None = None,
) -> None:
    """Wait for the lease; from then on it is renewed, however long the rest of the startup takes, and released at the end."""
    waiting_server = WaitingServer(settings)
    async with waiting_server.running():
        await lease.acquire(on_takeover, lambda reason: waiting_server.open("consumer", reason))
    services.at_end(lease.release)
    services.start(Service("consumer lease", lease.keep, on_crash=OnCrash.EXIT))


async def _await(future: "asyncio.Future[None]") -> None:
    await asyncio.shield(future)


def _fail(lost: "asyncio.Future[None]", error: Exception) -> None:
    if not lost.done():
        lost.set_exception(ConnectionLostError(f"NATS closed the connection for good: {error}"))


async def _nothing() -> None:
    """Nothing to wait for."""


async def join_ledger(
    link: NatsLink, services: Supervisor, claims_exist: Callable[[], Awaitable[None]] = _nothing
) -> JetStreamSource:
    """Wait until no single-process ledger holds the consumer. The ledger's streams must exist.

    `claims_exist` waits for the claims bucket, in which a takeover from another ledger is recorded.

    Raises:
        LeaseRefusedError: such a ledger is alive.
        nats.errors.Error: JetStream did not answer.
    """
    settings = link.settings

    async def take_over() -> Callable[[], Awaitable[None]]:
        await claims_exist()
        delivered = await link.topology.delivered()
        return partial(renew_takeover, link.client, settings.stream, settings.consumer, delivered)

    lease = link.consumer_lease(_LEDGER, shared=True)
    await hold(lease, settings, services, take_over)
    return await link.source(lease)
