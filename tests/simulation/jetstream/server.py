"""The server: connections, what clients publish, and what may befall it."""

from collections.abc import Callable
from typing import Any, Protocol

from tests.simulation.jetstream.crash import forget_deliveries, forget_messages, reconcile
from tests.simulation.jetstream.environment import Environment
from tests.simulation.jetstream.interest import Interest
from tests.simulation.jetstream.jetstream import JetStream
from tests.simulation.jetstream.message import Headers, StoredMessage
from tests.simulation.jetstream.pull import Pull
from tests.simulation.jetstream.stream import Stream

MAX_PAYLOAD = 1024 * 1024


class Wire(Protocol):
    """Carries to one client."""

    def to_client(self, item: object) -> None:
        """Send a message, or None for the answer to a ping."""

    def closed_by_server(self) -> None:
        """The server closes the connection."""


class Connection:
    """The server's end of a connection."""

    def __init__(self, server: "Server", wire: Wire) -> None:
        self.server = server
        self._wire = wire
        self._open = True
        self._muted = False

    # What the client does

    def published(self, subject: str, reply: str, data: bytes, headers: Headers | None) -> None:
        self.server.published(subject, reply, data, headers)

    def subscribed(self, sid: int, pattern: str) -> None:
        self.server.interest.add(self, sid, pattern)

    def unsubscribed(self, sid: int, after: int = 0) -> None:
        self.server.interest.remove(self, sid, after=after)

    def pinged(self) -> None:
        self._wire.to_client(None)

    def close(self) -> None:
        """The client is gone, as far as the server knows."""
        if self._open:
            self._open = False
            self.server.connections.pop(self, None)
            self.server.interest.remove_all(self)

    # What the server does

    def send(self, sid: int, subject: str, reply: str, data: bytes, headers: Headers | None) -> None:
        if self._open and not self._muted:
            self._wire.to_client((sid, subject, reply, data, headers))

    def mute(self) -> None:
        """The network is cut, which the server doesn't know yet."""
        self._muted = True

    def cut_off(self) -> None:
        """The server closes the connection."""
        self.close()
        if not self._muted:
            self._wire.closed_by_server()


class Server:
    """`connections` of all clients, `jetstream`, and faults. Its clock is the true time."""

    def __init__(self, environment: Environment, *, servers: int = 1, max_payload: int = MAX_PAYLOAD) -> None:
        """`servers`: of the cluster, which limits replicas; `max_payload` in bytes."""
        self.environment = environment
        self.interest = Interest()
        self.jetstream = JetStream(environment, self.interest, servers=servers)
        self.connections: dict[Connection, None] = {}
        """In the order in which they were made."""
        self.up = True
        self.max_payload = max_payload
        self.on_publish: Callable[[str, bytes, Headers | None], None] | None = None
        """Called with each message that arrives, before it is handled; for traces."""

    @property
    def info(self) -> dict[str, Any]:
        """What it tells a client that connects."""
        return {
            "server_id": "SIMULATED",
            "server_name": self.jetstream.server_name,
            "version": "2.15.1",
            "proto": 1,
            "headers": True,
            "max_payload": self.max_payload,
            "jetstream": True,
            "client_id": len(self.connections),
            "client_ip": "127.0.0.1",
        }

    def accept(self, wire: Wire) -> Connection:
        connection = Connection(self, wire)
        self.connections[connection] = None
        return connection

    def published(self, subject: str, reply: str, data: bytes, headers: Headers | None) -> None:
        """Handle what a client published; who asks for an answer is told if nobody listens."""
        if self.on_publish:
            self.on_publish(subject, data, headers)
        taken = self.jetstream.handle(subject, reply, data, headers)
        heard = self.interest.deliver(subject, subject, reply, data, headers)
        if not taken and not heard and reply:
            description = f"\nNats-Subject: {subject}"
            nobody = {"Status": "503", "Description": description, "Nats-Subject": subject}
            self.interest.deliver(reply, reply, "", b"", nobody)

    # What may befall it

    def stop(self) -> None:
        """End: connections close, what is stored stays. What was in memory is lost."""
        self.up = False
        for connection in list(self.connections):
            connection.cut_off()
        for stream in list(self.jetstream.streams.values()):
            self._forget(stream)

    def start(self) -> None:
        """Run again; clients come back on their own."""
        self.up = True

    def restart(self, seconds: float) -> None:
        """Stop, and start again after so many seconds."""
        if self.up:
            self.stop()
            self.environment.after(seconds, self.start)

    def lose_leader(self, name: str, seconds: float, *, silent: bool = False) -> None:
        """A stream and its consumers have no leader for so long: nothing is stored or delivered.

        `silent`: API requests get no answer meanwhile, instead of an error.
        """
        stream = self.jetstream.streams.get(name)
        if stream is None or not stream.has_leader:
            return
        stream.has_leader = False
        self.jetstream.silent = silent
        for consumer in stream.consumers.values():
            consumer.suspend("409 Leadership Change")
        self.environment.after(seconds, self._elect, stream)

    def lose_all_leaders(self, seconds: float, *, silent: bool = False) -> None:
        """Like `lose_leader`, for everything at once."""
        self.jetstream.has_leader = False
        self.environment.after(seconds, self._elect_api)
        for name in self.jetstream.streams:
            self.lose_leader(name, seconds, silent=silent)

    def fill(self, name: str, reason: str) -> None:
        """Let a stream store nothing more, for this reason; with an empty one, again."""
        self.jetstream.streams[name].refusal = reason

    def delete_stream(self, name: str) -> None:
        """As an operator does by mistake."""
        if name in self.jetstream.streams:
            self.jetstream.delete_stream(self.jetstream.streams[name])

    def delete_consumer(self, stream: str, name: str) -> None:
        """As an operator does by mistake."""
        found = self.jetstream.streams[stream].consumers.get(name)
        if found:
            self.jetstream.delete_consumer(found)

    def purge(self, name: str, pattern: str = ">") -> int:
        """As an operator does, whatever the stream's configuration says."""
        return self.jetstream.streams[name].purge(pattern)

    def forget(self, messages: Callable[[], float], deliveries: Callable[[], float]) -> dict[str, list[StoredMessage]]:
        """While it is stopped: what it had not written to its disk is lost. Returns the messages that are gone, by stream.

        `messages` is asked for each stream, and `deliveries` for each of its consumers, for how many seconds before now.
        """
        lost, now = {}, self.environment.now
        for name, stream in self.jetstream.streams.items():
            lost[name] = forget_messages(stream, now - messages())
            for consumer in stream.consumers.values():
                if consumer.acks:
                    forget_deliveries(consumer, now - deliveries())
                reconcile(consumer)
        return lost

    def _elect(self, stream: Stream) -> None:
        stream.has_leader = True
        for consumer in stream.consumers.values():
            consumer.resume()

    def _elect_api(self) -> None:
        self.jetstream.has_leader = True

    def _forget(self, stream: Stream) -> None:
        """What a restarted server doesn't know of a stream any more."""
        if stream.config["storage"] == "memory":
            self.jetstream.delete_stream(stream)
            return
        stream.forget_settled_ids()
        for consumer in list(stream.consumers.values()):
            if consumer.config.get("mem_storage"):
                self.jetstream.delete_consumer(consumer)
            elif isinstance(consumer.delivering, Pull):
                consumer.delivering.drop_all()
