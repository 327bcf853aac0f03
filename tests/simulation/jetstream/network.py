"""A server and the links of all processes to it; makes the clients."""

from typing import Any

from nats.aio.client import Client

from tests.simulation.jetstream.client import SimulatedClient
from tests.simulation.jetstream.environment import Environment
from tests.simulation.jetstream.link import Host, Link
from tests.simulation.jetstream.server import Server

URL = "nats://simulated:4222"
_PING_INTERVAL = 5
_PENDING_BYTES = 16 * 1024 * 1024


class Network:
    """Everything that talks NATS in a world."""

    def __init__(self, environment: Environment, server: Server) -> None:
        self.environment = environment
        self.server = server
        self.links: dict[Host, Link] = {}
        """By process; those of dead processes are dropped."""

    def link(self, host: Host) -> Link:
        """The process's link, which all its connections share."""
        if host not in self.links:
            self.links[host] = Link(self.environment, self.server, host)
            host.on_kill.append(lambda: self.links.pop(host, None))
        return self.links[host]

    def client(self, host: Host) -> SimulatedClient:
        """A client that has yet to connect."""
        return SimulatedClient(self.link(host))

    async def connect(self, host: Host, **options: Any) -> Client:
        """A connected client, with the options of `email_consumer.jetstream.connection`."""
        client = self.client(host)
        await client.connect(
            [URL],
            **{
                "max_reconnect_attempts": -1,
                "reconnect_time_wait": 1,
                "connect_timeout": 5,
                "ping_interval": _PING_INTERVAL,
                "pending_size": _PENDING_BYTES,
                **options,
            },
        )
        return client
