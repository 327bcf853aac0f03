"""A consumer that pushes to a subject: while somebody listens, with heartbeats and flow control."""

from typing import TYPE_CHECKING

from tests.simulation.jetstream.environment import NANOSECONDS, Timer
from tests.simulation.jetstream.message import header_length

if TYPE_CHECKING:
    from tests.simulation.jetstream.consumer import Consumer
    from tests.simulation.jetstream.interest import Interest

WINDOW = 2 * 1024 * 1024
"""Bytes that may be under way to a client that confirms what it has read."""


class Push:
    def __init__(self, consumer: "Consumer", interest: "Interest", window: int = WINDOW) -> None:
        self._consumer = consumer
        self._interest = interest
        self._subject: str = consumer.config["deliver_subject"]
        self._heartbeat: float = consumer.config.get("idle_heartbeat", 0) / NANOSECONDS
        self._controlled = bool(consumer.config.get("flow_control"))
        self._window = window
        self._under_way = 0
        """Bytes since the last confirmation."""
        self._question = ""
        """The subject that the client confirms on; empty while it needn't."""
        self._asked_for = 0
        self._questions = 0
        self._beat: Timer | None = None
        self._quiet_since = consumer.environment.now
        self._active = self.bound
        self._idle_since = consumer.environment.now
        if self._active:
            self._expect_beat()

    @property
    def waiting(self) -> int:
        """Nobody asks a consumer that pushes."""
        return 0

    @property
    def bound(self) -> bool:
        """Whether somebody listens."""
        return self._interest.exists(self._subject)

    @property
    def idle_since(self) -> float:
        """Since when nobody has listened."""
        if self.bound:
            self._idle_since = self._consumer.environment.now
        return self._idle_since

    def pump(self) -> None:
        if self._consumer.paused or not self.bound:
            return
        while not self._stalled():
            found = self._consumer.next()
            if found is None:
                return
            message = found.message
            reply, data, headers = self._consumer.take(found)
            self._quiet_since = self._consumer.environment.now
            self._interest.deliver(self._subject, message.subject, reply, data, headers)
            if self._controlled:
                size = len(message.subject) + len(reply) + len(data) + header_length(headers)
                self._control(size)

    def confirmed(self, subject: str) -> None:
        """The client has read what came before this question."""
        if subject != self._question:
            return
        self._under_way = max(0, self._under_way - self._asked_for)
        self._question = ""
        self.pump()

    def interest_changed(self) -> None:
        """Somebody began to listen, or ceased."""
        active = self.bound
        if active == self._active:
            return
        self._active = active
        if active:
            self._under_way, self._question = 0, ""
            self._quiet_since = self._consumer.environment.now
            self._expect_beat()
            self.pump()
        else:
            self._idle_since = self._consumer.environment.now
            if self._beat:
                self._beat.cancel()

    def close(self, _status: str) -> None:
        """The client notices that the heartbeats cease."""
        if self._beat:
            self._beat.cancel()

    def resume(self) -> None:
        """Go on after `close`."""
        self._active = False
        self.interest_changed()

    def _stalled(self) -> bool:
        return bool(self._question) and self._under_way > self._window

    def _control(self, size: int) -> None:
        self._under_way += size
        if self._question or self._under_way <= self._window // 2:
            return
        self._questions += 1
        self._question = f"$JS.FC.{self._consumer.stream.name}.{self._consumer.name}.{self._questions}"
        self._asked_for = self._under_way
        self._send({"Status": "100", "Description": "FlowControl Request"}, self._question)

    def _expect_beat(self) -> None:
        if self._heartbeat:
            self._beat = self._consumer.environment.after(self._heartbeat, self._beat_if_quiet)

    def _beat_if_quiet(self) -> None:
        if not self._active:
            return
        now = self._consumer.environment.now
        quiet = now - self._quiet_since
        if quiet < self._heartbeat - 1e-9:
            self._beat = self._consumer.environment.after(self._heartbeat - quiet, self._beat_if_quiet)
            return
        self._quiet_since = now
        headers = {
            "Status": "100",
            "Description": "Idle Heartbeat",
            "Nats-Last-Consumer": str(self._consumer.delivery),
            "Nats-Last-Stream": str(self._consumer.cursor.position - 1),
        }
        if self._stalled():
            headers["Nats-Consumer-Stalled"] = self._question
        self._send(headers)
        self._expect_beat()

    def _send(self, headers: dict[str, str], reply: str = "") -> None:
        self._interest.deliver(self._subject, self._subject, reply, b"", headers)
