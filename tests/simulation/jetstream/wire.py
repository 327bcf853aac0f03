"""One connection between a client and the server, with what is under way in both directions."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from tests.simulation.jetstream.server import Connection

if TYPE_CHECKING:
    from tests.simulation.jetstream.link import Link

_END = object()
"""The other side closes."""


class Receiver(Protocol):
    """The client's end."""

    def received(self, items: list[Any]) -> None:
        """Messages have arrived, and None for each answer to a ping."""

    def lost(self) -> None:
        """The other side has closed."""


class _Direction:
    """Keeps its order. What is written in one instant travels together."""

    def __init__(self, link: "Link", arrive: Callable[[list[Any]], None]) -> None:
        self._link = link
        self._arrive = arrive
        self._packets: deque[list[Any]] = deque()
        self._sent_at = -1.0
        self._last_due = 0.0
        self._lost = 0
        """How often everything under way was lost."""

    @property
    def empty(self) -> bool:
        return not self._packets

    def send(self, item: object) -> None:
        environment = self._link.environment
        now = environment.now
        if self._sent_at == now and self._packets:
            self._packets[-1].append(item)
            return
        self._sent_at = now
        self._last_due = max(now + self._link.latency(), self._last_due)
        self._packets.append([item])
        environment.after(self._last_due - now, self._deliver, self._lost)

    def drop(self) -> None:
        """What is under way is lost."""
        self._packets.clear()
        self._lost += 1

    def _deliver(self, lost: int) -> None:
        if lost != self._lost:
            return
        environment, stalled_until = self._link.environment, self._link.stalled_until
        if environment.now < stalled_until:
            environment.after(stalled_until - environment.now, self._deliver, lost)
        else:
            self._arrive(self._packets.popleft())


class Wire:
    """A reconnect makes another one."""

    def __init__(self, link: "Link", receiver: Receiver) -> None:
        self._link = link
        self._receiver = receiver
        self._upwards = _Direction(link, self._at_server)
        self._downwards = _Direction(link, self._at_client)
        self._connection: Connection | None = link.server.accept(self)
        self._open = True
        """As far as the client knows."""

    @property
    def finished(self) -> bool:
        """Whether nothing can come of it any more."""
        return not self._open and self._upwards.empty

    # The client's side

    def to_server(self, handle: Callable[..., None], *arguments: object) -> None:
        """Call a method of the server's `Connection`, with the connection first."""
        if self._open:
            self._upwards.send((handle, arguments))

    def close(self) -> None:
        """The client closes, or the operating system after its end; what it has written still arrives."""
        if self._open:
            self._open = False
            self._downwards.drop()
            self._upwards.send(_END)

    # The server's side

    def to_client(self, item: object) -> None:
        self._downwards.send(item)

    def closed_by_server(self) -> None:
        self._connection = None
        self._upwards.drop()
        self._downwards.send(_END)

    # The network

    def cut(self, *, client_notices: bool, server_notices_after: float) -> None:
        """Everything under way is lost, and nothing arrives any more."""
        self._upwards.drop()
        self._downwards.drop()
        connection, self._connection = self._connection, None
        if connection:
            connection.mute()
            self._link.environment.after(server_notices_after, connection.close)
        if client_notices:
            self._link.host.call(self._lose)

    def _at_server(self, items: list[Any]) -> None:
        for item in items:
            connection = self._connection
            if connection is None:
                return
            if item is _END:
                self._connection = None
                connection.close()
                return
            handle, arguments = item
            handle(connection, *arguments)

    def _at_client(self, items: list[Any]) -> None:
        ended = items[-1] is _END
        if ended:
            items.pop()
        if items:
            self._link.host.call(self._receiver.received, items)
        if ended:
            self._link.host.call(self._lose)

    def _lose(self) -> None:
        if self._open:
            self._open = False
            self._receiver.lost()
