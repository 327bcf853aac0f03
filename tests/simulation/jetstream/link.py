"""The network between the server and one process: delays, and what may befall it."""

from collections.abc import Callable
from typing import Protocol

from tests.simulation.jetstream.environment import Environment
from tests.simulation.jetstream.server import Server
from tests.simulation.jetstream.wire import Receiver, Wire

FASTEST, SLOWEST = 0.000_1, 0.002
"""Seconds that a message takes."""


class Host(Protocol):
    """See `tests.simulation.process.Process`."""

    on_kill: list[Callable[[], object]]

    def call(self, callback: Callable[..., object], *args: object) -> None:
        """Run it in the process."""


class Link:
    """`cut` and `stall` are faults. It outlives connections, and ends with its process."""

    def __init__(
        self,
        environment: Environment,
        server: Server,
        host: Host,
        *,
        fastest: float = FASTEST,
        slowest: float = SLOWEST,
    ) -> None:
        """`fastest` and `slowest`: seconds that a message takes."""
        self.environment = environment
        self.server = server
        self.host = host
        self.stalled_until = 0.0
        self._fastest = fastest
        self._slowest = slowest
        self._down_until = 0.0
        self._wires: list[Wire] = []
        host.on_kill.append(self.hang_up)

    def latency(self) -> float:
        """Seconds for the next message."""
        return self.environment.random.uniform(self._fastest, self._slowest)

    def dial(self, receiver: Receiver, answer: Callable[[Wire | OSError], None]) -> None:
        """Connect: the process calls `answer` with the connection, or with why there is none, or never."""
        delay = max(0.0, self.stalled_until - self.environment.now) + self.latency()
        self.environment.after(delay, self._dialled, receiver, answer)

    def cut(self, seconds: float = 0.0, *, client_notices: bool = True, server_notices_after: float = 0.0) -> None:
        """Break the connection; what is under way is lost in both directions, and nobody connects for so many seconds.

        Args:
            seconds: without a network.
            client_notices: otherwise it only finds out by its pings, within 15 s.
            server_notices_after: seconds for which the server goes on sending to nobody.
        """
        self._down_until = max(self._down_until, self.environment.now + seconds)
        for wire in self._wires:
            wire.cut(client_notices=client_notices, server_notices_after=server_notices_after)
        self._wires.clear()

    def stall(self, seconds: float) -> None:
        """Let nothing arrive for so long, and then all of it; a client that gave up meanwhile has sent what it had sent."""
        self.stalled_until = max(self.stalled_until, self.environment.now + seconds)

    def hang_up(self) -> None:
        """The operating system closes the connections of a process that has ended."""
        for wire in self._wires:
            wire.close()

    def _dialled(self, receiver: Receiver, answer: Callable[[Wire | OSError], None]) -> None:
        if self.environment.now < self._down_until:
            return
        if not self.server.up:
            self.host.call(answer, ConnectionRefusedError("nobody listens"))
            return
        wire = Wire(self, receiver)
        self._wires = [each for each in self._wires if not each.finished]
        self._wires.append(wire)
        self.environment.after(self.latency(), self.host.call, answer, wire)
