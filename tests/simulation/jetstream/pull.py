"""Pull requests: who waits for how many messages, and how each request ends.

Source: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-13.md
"""

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from tests.simulation.jetstream.environment import NANOSECONDS, Timer
from tests.simulation.jetstream.message import go_duration, header_length

if TYPE_CHECKING:
    from tests.simulation.jetstream.consumer import Consumer, Next
    from tests.simulation.jetstream.interest import Interest

_HEARTBEAT = "Idle Heartbeat"


class Request:
    """One request that waits. Times are the world's, infinite where they don't apply."""

    __slots__ = ("batch", "beats_at", "ends_at", "heartbeat", "no_wait", "reply", "served", "size", "sized")

    def __init__(self, reply: str, asked: Mapping[str, Any], now: float) -> None:
        self.reply = reply
        self.batch: int = asked.get("batch") or 1
        self.size: int = asked.get("max_bytes") or 0
        self.sized = self.size > 0
        self.no_wait = bool(asked.get("no_wait"))
        expires, self.heartbeat = (asked.get(name, 0) / NANOSECONDS for name in ("expires", "idle_heartbeat"))
        self.ends_at = now + expires if expires else float("inf")
        self.beats_at = now + self.heartbeat if self.heartbeat else float("inf")
        self.served = 0


class Pull:
    """Serves requests in turn, a message each."""

    def __init__(self, consumer: "Consumer", interest: "Interest") -> None:
        self._consumer = consumer
        self._interest = interest
        self._requests: deque[Request] = deque()
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._idle_since = consumer.environment.now
        """When nobody waited any more."""

    @property
    def waiting(self) -> int:
        """Requests whose clients are still there."""
        self._drop_abandoned()
        return len(self._requests)

    @property
    def idle_since(self) -> float:
        """Since when nobody has asked."""
        return self._consumer.environment.now if self.waiting else self._idle_since

    def request(self, reply: str, payload: bytes) -> None:
        """A client asks for messages."""
        now, config = self._consumer.environment.now, self._consumer.config
        self._idle_since = now
        try:
            asked = _read(payload)
            if asked.get("priority") or asked.get("group"):
                raise NotImplementedError(f"pull request {asked}")
        except ValueError as error:
            self._answer(reply, "400", f"Bad Request - {error}")
            return
        if refusal := _refusal(asked, config):
            self._answer(reply, "409", refusal)
            return
        request = Request(reply, asked, now)
        if request.no_wait and request.ends_at == float("inf") and not self._available():
            self._answer(reply, "404", "No Messages")
            return
        if len(self._requests) >= config["max_waiting"] and self.waiting >= config["max_waiting"]:
            self._answer(reply, "409", "Exceeded MaxWaiting")
            return
        self._requests.append(request)
        self.pump()
        self._schedule()

    def pump(self) -> None:
        consumer = self._consumer
        if not self._requests or consumer.paused:
            return
        while self._requests:
            found = consumer.next()
            if found is None:
                self._end_one_shots()
                return
            request = self._next_for(found)
            if request is None:
                return
            self._deliver(request, found)

    def close(self, status: str) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        code, _, text = status.partition(" ")
        for request in self._requests:
            self._answer(request.reply, code, text)
        self._requests.clear()

    def resume(self) -> None:
        """Go on after `close`."""

    def drop_all(self) -> None:
        """The server that knew of the requests is gone."""
        self._requests.clear()
        self._idle_since = self._consumer.environment.now

    def _available(self) -> int:
        return self._consumer.cursor.pending + self._consumer.waiting_for_redelivery()

    def _next_for(self, found: "Next") -> Request | None:
        """The request to serve; those that the message is too large for are over."""
        requests = self._requests
        while requests:
            request = requests[0]
            if not self._interest.exists(request.reply):
                requests.popleft()
                continue
            if not request.sized:
                return request
            message = found.message
            size = len(message.subject) + len(message.data) + header_length(message.headers)
            size += len(self._consumer.reply(found, 1))
            if size <= request.size:
                request.size -= size
                if not request.size:
                    request.batch = 1
                return request
            requests.popleft()
            self._end(request, "409", "Message Size Exceeds MaxBytes")
        self._note_idle()
        return None

    def _deliver(self, request: Request, found: "Next") -> None:
        requests = self._requests
        request.batch -= 1
        request.served += 1
        if request.heartbeat:
            request.beats_at = self._consumer.environment.now + request.heartbeat
        if len(requests) > 1 or not request.batch:
            requests.popleft()
            if request.batch:
                requests.append(request)
        reply, data, headers = self._consumer.take(found)
        self._interest.deliver(request.reply, found.message.subject, reply, data, headers)
        self._note_idle()

    def _end_one_shots(self) -> None:
        """There is nothing more: requests that take what there is have had it."""
        if self._available():
            return
        for request in [each for each in self._requests if each.no_wait and each.served]:
            self._requests.remove(request)
            self._answer(request.reply, "404", "No Messages")
        self._note_idle()

    def _drop_abandoned(self) -> None:
        exists = self._interest.exists
        if not all(exists(request.reply) for request in self._requests):
            self._requests = deque(request for request in self._requests if exists(request.reply))
            self._note_idle()

    def _note_idle(self) -> None:
        if not self._requests:
            self._idle_since = self._consumer.environment.now

    def _schedule(self) -> None:
        """Wake up when a request ends or wants a sign of life."""
        due = min((min(request.ends_at, request.beats_at) for request in self._requests), default=float("inf"))
        if due == float("inf") or (self._timer and self._timer_at <= due):
            return
        if self._timer:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._consumer.environment.after(due - self._consumer.environment.now, self._look)

    def _look(self) -> None:
        now, self._timer = self._consumer.environment.now, None
        if any(request.ends_at <= now for request in self._requests):
            self.pump()  # after a pause nothing else may have
        self._drop_abandoned()
        for request in list(self._requests):
            if request.ends_at <= now:
                self._requests.remove(request)
                self._end(request, "408", "Request Timeout")
            elif request.beats_at <= now:
                request.beats_at = now + request.heartbeat
                last = {
                    "Nats-Last-Consumer": str(self._consumer.delivery),
                    "Nats-Last-Stream": str(self._consumer.cursor.position - 1),
                }
                self._answer(request.reply, "100", _HEARTBEAT, last)
        self._note_idle()
        self._schedule()

    def _end(self, request: Request, status: str, text: str) -> None:
        left = {"Nats-Pending-Messages": str(request.batch), "Nats-Pending-Bytes": str(request.size)}
        self._answer(request.reply, status, text, left)

    def _answer(self, reply: str, status: str, text: str, more: Mapping[str, str] | None = None) -> None:
        headers = {"Status": status, "Description": text, **(more or {})}
        self._interest.deliver(reply, reply, "", b"", headers)


def _read(payload: bytes) -> dict[str, Any]:
    if not payload:
        return {}
    if payload.isdigit():
        return {"batch": int(payload)}
    asked: dict[str, Any] = orjson.loads(payload)
    heartbeat, expires = asked.get("idle_heartbeat", 0), asked.get("expires", 0)
    if heartbeat and not expires:
        raise ValueError("heartbeat value requires expires")
    if heartbeat and heartbeat * 2 > expires:
        raise ValueError("heartbeat value too large")
    return asked


def _refusal(asked: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    if 0 < config.get("max_batch", 0) < asked.get("batch", 1):
        return f"Exceeded MaxRequestBatch of {config['max_batch']}"
    if 0 < config.get("max_expires", 0) < asked.get("expires", 0):
        return f"Exceeded MaxRequestExpires of {go_duration(config['max_expires'])}"
    if 0 < config.get("max_bytes", 0) < asked.get("max_bytes", 0):
        return f"Exceeded MaxRequestMaxBytes of {config['max_bytes']}"
    return ""
