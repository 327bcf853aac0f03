"""JetStream for a role: the connection, the stream with its consumer, and the leases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from nats.aio.client import Client

from email_consumer.jetstream.connection import NatsEndpoint, close, connect
from email_consumer.jetstream.connection_errors import ConnectionLostError
from email_consumer.ledgers.jetstream.takeover import renew_takeover
from email_consumer.roles.waiting_server import ServerAddress, WaitingServer
from email_consumer.runtime.supervisor import OnCrash, Service, Supervisor
from email_consumer.sources.jetstream.consumer import consumer_in_use
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease, OnTakeover
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.source import JetStreamSource
from email_consumer.sources.jetstream.topology import Topology

_LEDGER = "jetstream"
"""The identity of the ledger that all workers share."""


@dataclass(frozen=True, slots=True)
class NatsOptions:
    endpoint: NatsEndpoint
    mail: MailStream
    server: ServerAddress
    """Where `/ready` says what the process waits for."""


async def _nothing() -> None:
    """Nothing to wait for."""


@dataclass(frozen=True, slots=True)
class NatsLink:
    """A connection with an existing stream and consumer, but without the consumer lease."""

    client: Client
    topology: Topology
    services: Supervisor
    server: ServerAddress

    @property
    def mail(self) -> MailStream:
        return self.topology.mail

    def consumer_lease(self, ledger: str, *, shared: bool) -> ConsumerLease:
        """The consumer lease for the ledger with this identity."""
        consumer = self.mail.consumer
        in_use = partial(consumer_in_use, self.client, self.mail.stream, consumer)
        return self._lease(consumer, f"the consumer {consumer!r}", ledger, in_use, shared=shared)

    def role_lease(self, role: str, ledger: str, *, stream: str, consumer: str) -> ConsumerLease:
        """The lease on a role of which there may be only one process; its holder uses that consumer."""
        in_use = partial(consumer_in_use, self.client, stream, consumer)
        return self._lease(f"role.{role}", f"the {role} lease", ledger, in_use, shared=False)

    async def hold(self, lease: ConsumerLease, on_takeover: OnTakeover | None = None) -> None:
        """Wait for the lease.

        From then on it is renewed, however long the rest of the startup takes, and released at the end.
        """
        waiting_server = WaitingServer(self.server)
        async with waiting_server.running():
            await lease.acquire(on_takeover, lambda reason: waiting_server.open("consumer", reason))
        self.services.at_end(lease.release)
        self.services.start(Service("consumer lease", lease.keep, on_crash=OnCrash.EXIT))

    async def join_ledger(self, claims_exist: Callable[[], Awaitable[None]] = _nothing) -> JetStreamSource:
        """Wait until no single-process ledger holds the consumer. The ledger's streams must exist.

        `claims_exist` waits for the claims bucket, in which a takeover from another ledger is recorded.

        Raises:
            LeaseRefusedError: such a ledger is alive.
            nats.errors.Error: JetStream did not answer.
        """

        async def take_over() -> Callable[[], Awaitable[None]]:
            await claims_exist()
            delivered = await self.topology.delivered()
            return partial(renew_takeover, self.client, self.mail.stream, self.mail.consumer, delivered)

        lease = self.consumer_lease(_LEDGER, shared=True)
        await self.hold(lease, take_over)
        return await self.source(lease)

    async def source(self, lease: ConsumerLease) -> JetStreamSource:
        """The source of bulk mail that the lease gives access to; the other lane is `source.transactional()`.

        Raises:
            TopologyError: something has to be changed by hand.
            nats.errors.Error: JetStream did not answer.
        """
        transactional = self.topology.transactional
        if transactional.missing and not transactional.conflict:  # it may have been added while we waited for the lease
            await self.topology.ensure()
        return JetStreamSource(self.client, self.topology, lease)

    def _lease(
        self, key: str, what: str, ledger: str, in_use: Callable[[], Awaitable[bool]], *, shared: bool
    ) -> ConsumerLease:
        return ConsumerLease(
            self.client,
            stream=self.mail.stream,
            key=key,
            what=what,
            ledger=ledger,
            replicas=self.mail.replicas,
            shared=shared,
            in_use=in_use,
        )


async def open_connection(endpoint: NatsEndpoint, services: Supervisor) -> Client:
    """Connect until the process ends; it ends at once if the server closes the connection for good."""
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    client = await connect(endpoint, on_lost=lambda error: _fail(lost, error))
    services.at_end(partial(close, client))
    services.start(Service("connection", lambda: _await(lost), on_crash=OnCrash.EXIT))
    return client


@asynccontextmanager
async def connected(endpoint: NatsEndpoint) -> AsyncIterator[Client]:
    """A separate connection for a while.

    Raises:
        NatsConnectError: in plain words, with what to check.
    """
    client = await connect(endpoint)
    try:
        yield client
    finally:
        await close(client)


async def connect_nats(options: NatsOptions, services: Supervisor) -> NatsLink:
    """Connect, and create stream and consumer if they are missing."""
    client = await open_connection(options.endpoint, services)
    topology = Topology(client, options.mail)
    await topology.ensure()
    return NatsLink(client, topology, services, options.server)


async def _await(future: "asyncio.Future[None]") -> None:
    await asyncio.shield(future)


def _fail(lost: "asyncio.Future[None]", error: Exception) -> None:
    if not lost.done():
        lost.set_exception(ConnectionLostError(f"NATS closed the connection for good: {error}"))
