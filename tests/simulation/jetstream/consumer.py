"""A consumer: where it stands in its stream, what it has delivered, and what becomes of that."""

from typing import TYPE_CHECKING, Protocol

import orjson

from tests.simulation.jetstream.consumer_config import Config, filters
from tests.simulation.jetstream.crash import Recent
from tests.simulation.jetstream.cursor import Cursor
from tests.simulation.jetstream.environment import NANOSECONDS, Environment, Timer, nanoseconds, seconds
from tests.simulation.jetstream.message import Headers, StoredMessage, parse_time
from tests.simulation.jetstream.redelivery import Redelivery, Unsettled
from tests.simulation.jetstream.subjects import Filter

if TYPE_CHECKING:
    from tests.simulation.jetstream.stream import Stream

_NAK_LATENCY = 0.01
"""Seconds until the server looks at a nak with a delay, however short that is."""


class Delivering(Protocol):
    """How messages leave a consumer: as they are requested, or pushed to a subject."""

    def pump(self) -> None:
        """Deliver what can be delivered now."""

    def close(self, status: str) -> None:
        """Stop; who waits is told why."""

    def resume(self) -> None:
        """Go on after `close`."""

    @property
    def waiting(self) -> int:
        """Requests that wait."""

    @property
    def idle_since(self) -> float:
        """Since when nobody has used it."""


class Next:
    """The message that is delivered next, and how often it was before."""

    __slots__ = ("count", "message")

    def __init__(self, message: StoredMessage, count: int) -> None:
        self.message = message
        self.count = count


class Consumer:
    """`delivering` has to be set before anything else happens."""

    delivering: Delivering

    def __init__(self, environment: Environment, stream: "Stream", name: str, config: Config) -> None:
        self.environment = environment
        self.stream = stream
        self.name = name
        self.created = nanoseconds(environment.now)
        self.redelivery = Redelivery()
        self.settled: Recent[tuple[int, Unsettled, int]] = Recent()
        """Sequence, what was unsettled, and how often it had been delivered again."""
        self.taken: Recent[tuple[int, int, int]] = Recent()
        """Sequence, number of the delivery, and how often the message had been delivered by then."""
        self.delivery = 0
        """Number of the last delivery."""
        self.floor_delivery = 0
        """All deliveries up to this number are settled, and all messages up to `floor`."""
        self.delivered_at = self.settled_at = 0
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self.cursor = Cursor(stream.storage, config, Filter(filters(config)))
        self.floor = self.cursor.position - 1
        self._apply(config)

    def pause(self, config: Config) -> None:
        """Use this configuration, in which only the pause differs. Nothing is delivered until something else happens."""
        self._apply(config)

    def update(self, config: Config) -> None:
        """Use this configuration from now on."""
        self._apply(config)
        self.cursor.filter = Filter(filters(config))
        self.cursor.count()
        self.delivering.pump()

    def _apply(self, config: Config) -> None:
        self.config = config
        self.ack_wait: float = config.get("ack_wait", 0) / NANOSECONDS
        self._backoff: list[float] = [each / NANOSECONDS for each in config.get("backoff", ())]
        self.acks = config["ack_policy"] == "explicit"
        self._most = config.get("max_ack_pending", -1) if self.acks else -1
        self._max_deliver: int = config["max_deliver"]
        self._headers_only = bool(config.get("headers_only"))
        self._schedule_resume()

    @property
    def paused(self) -> bool:
        until: str | None = self.config.get("pause_until")
        return until is not None and nanoseconds(self.environment.now) < parse_time(until)

    # What happens to the stream

    def stored(self, message: StoredMessage) -> None:
        if self.cursor.filter.takes(message.subject):
            self.cursor.pending += 1
            self.delivering.pump()

    def removed(self, message: StoredMessage) -> None:
        self.cursor.removed(message)
        if message.sequence in self.redelivery.unsettled:
            self._settle(message.sequence)

    def purged(self, first: int) -> None:
        """The stream was purged; `first` is its first sequence now."""
        for sequence in [each for each in self.redelivery.unsettled if each not in self.stream.storage.messages]:
            if sequence >= first:
                self._settle(sequence)
        self.cursor.position = max(self.cursor.position, first)
        if self.floor < first - 1:
            self.floor = first - 1
            self.floor_delivery = max(self.floor_delivery, self.redelivery.drop_below(first))
        if not self.redelivery.unsettled:
            self.floor_delivery = self.delivery
        self.cursor.count()

    def begin_at(self, position: int) -> None:
        """Nothing from this sequence on was delivered, as far as a server knows that was killed."""
        self.cursor.position = position
        unsettled = self.redelivery.unsettled
        self.floor = min(unsettled, default=position) - 1
        self.floor_delivery = min((each.delivery for each in unsettled.values()), default=self.delivery + 1) - 1
        self.cursor.count()
        self._schedule()

    def suspend(self, status: str) -> None:
        """It has no leader: nothing is delivered, and who waits is told why."""
        self.delivering.close(status)

    def resume(self) -> None:
        """It has a leader again."""
        self.redelivery.collect(self.environment.now)
        self.delivering.resume()
        self.delivering.pump()

    # What clients answer

    def answered(self, sequence: int, delivery: int, answer: bytes) -> None:
        """Apply an acknowledgement, a refusal, or a sign of life."""
        if answer in (b"", b"+ACK", b"+OK") or answer.startswith((b"+TERM", b"+NXT")):
            if self._settle(sequence) and self.stream.config["retention"] == "workqueue":
                self.stream.remove(sequence)
        elif answer.startswith(b"+WPI"):
            self.redelivery.postpone(sequence, self.environment.now + self._wait(sequence))
            self._schedule()
        elif answer.startswith(b"-NAK"):
            self._refused(sequence, delivery, answer[4:].strip())
        self.delivering.pump()

    def _refused(self, sequence: int, delivery: int, options: bytes) -> None:
        if not self.floor_delivery < delivery <= self.delivery or sequence not in self.redelivery.unsettled:
            return
        if options:
            # The server moves the time of delivery back, so that it seems to be due then.
            delay = orjson.loads(options).get("delay", 0) / NANOSECONDS + self._wait(sequence) - self.ack_wait
            self.redelivery.put_off(sequence, self.environment.now + max(delay, _NAK_LATENCY))
            self._schedule()
        else:
            self.redelivery.return_now(sequence)

    def _settle(self, sequence: int) -> bool:
        """It is over with a message; returns False if that is not news."""
        again = self.redelivery.redelivered.get(sequence, 0)
        found = self.redelivery.settle(sequence)
        if found is None:
            return False
        self.settled.add(self.environment.now, (sequence, found, again))
        self.settled_at = nanoseconds(self.environment.now)
        unsettled, delivery = self.redelivery.unsettled, found.delivery
        if not unsettled:
            self.floor_delivery, self.floor = self.delivery, self.cursor.position - 1
        elif delivery == self.floor_delivery + 1:
            self.floor_delivery, self.floor = delivery, sequence
            for oldest in range(sequence + 1, self.cursor.position):
                if oldest in unsettled:
                    self.floor_delivery, self.floor = unsettled[oldest].delivery - 1, oldest - 1
                    break
        return True

    # What is delivered next

    def next(self) -> Next | None:
        """The message to deliver next; `take` it then. None if there is none, or no more may be unsettled."""
        if not self.stream.has_leader:
            return None
        redelivery = self.redelivery
        while sequence := redelivery.first_queued():
            count = redelivery.redelivered.get(sequence, 0) + 2
            message = self.stream.storage.messages.get(sequence)
            if message is not None and not 0 < self._max_deliver < count:
                return Next(message, count)
            self._give_up(sequence)
        if 0 < self._most <= len(redelivery.unsettled):
            return None
        message = self.cursor.next()
        return Next(message, 1) if message else None

    def take(self, found: Next) -> tuple[str, bytes, Headers | None]:
        """Count it as delivered; returns its acknowledgement subject, its data and its headers."""
        message, now = found.message, self.environment.now
        sequence, redelivery = message.sequence, self.redelivery
        self.delivery += 1
        self.delivered_at = nanoseconds(now)
        self.taken.add(now, (sequence, self.delivery, found.count))
        if found.count > 1:
            redelivery.queue.popleft()
            redelivery.redelivered[sequence] = found.count - 1
        else:
            self.cursor.advance(sequence)
        if self.acks:
            redelivery.delivered(sequence, self.delivery, now + self._wait(sequence))
            self._schedule()
        else:
            self.floor_delivery, self.floor = self.delivery, self.cursor.position - 1
        if not self._headers_only:
            return self.reply(found), message.data, message.headers
        return self.reply(found), b"", {**(message.headers or {}), "Nats-Msg-Size": str(len(message.data))}

    def reply(self, found: Next, ahead: int = 0) -> str:
        """The subject that an answer to the last delivery goes to, or to the one `ahead` of it."""
        message = found.message
        return (
            f"$JS.ACK.{self.stream.name}.{self.name}.{found.count}.{message.sequence}.{self.delivery + ahead}."
            f"{message.stored_at}.{self.cursor.pending}"
        )

    def waiting_for_redelivery(self) -> int:
        return len(self.redelivery.queue)

    def close(self, status: str) -> None:
        """End it."""
        if self._timer:
            self._timer.cancel()
        self.delivering.close(status)

    def _give_up(self, sequence: int) -> None:
        """It was delivered as often as it may be, or is gone: nobody waits for an answer any more."""
        self.redelivery.queue.popleft()
        self.redelivery.settle(sequence)

    # Redelivery

    def _wait(self, sequence: int) -> float:
        """Seconds until an unsettled message is delivered again."""
        if not self._backoff:
            return self.ack_wait
        return self._backoff[min(self.redelivery.redelivered.get(sequence, 0), len(self._backoff) - 1)]

    def _schedule(self) -> None:
        due = self.redelivery.next_due()
        if due is None or (self._timer and self._timer_at <= due):
            return
        if self._timer:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self.environment.after(due - self.environment.now, self._redeliver)

    def _redeliver(self) -> None:
        self._timer = None
        self.redelivery.collect(self.environment.now)
        self._schedule()
        self.delivering.pump()

    def _schedule_resume(self) -> None:
        until = self.config.get("pause_until")
        if until and self.paused:
            self.environment.after(seconds(parse_time(until)) - self.environment.now, self._resume)

    def _resume(self) -> None:
        if not self.paused:
            self.delivering.pump()
