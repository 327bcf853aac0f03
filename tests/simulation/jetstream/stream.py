"""A stream: what it stores, under which conditions, and when messages go."""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from tests.simulation.jetstream import errors
from tests.simulation.jetstream.crash import Recent
from tests.simulation.jetstream.deduplication import Deduplication
from tests.simulation.jetstream.environment import NANOSECONDS, Environment, Timer, nanoseconds, seconds
from tests.simulation.jetstream.message import Headers, StoredMessage, go_duration, header_length, stored_size
from tests.simulation.jetstream.publish_headers import INVALID, Conditions, read_conditions
from tests.simulation.jetstream.storage import Storage
from tests.simulation.jetstream.stream_config import Config
from tests.simulation.jetstream.subjects import Transform, matches

if TYPE_CHECKING:
    from tests.simulation.jetstream.consumer import Consumer

_NO_CONDITIONS = Conditions()
_ROUNDING = 1e-6
"""Seconds by which a message goes late: its time has whole nanoseconds, and looked at too early it would stay."""


class Stream:
    """`publish` answers with the acknowledgement, or raises what the server would answer."""

    def __init__(self, environment: Environment, config: Config) -> None:
        self.name: str = config["name"]
        self.created = nanoseconds(environment.now)
        self.storage = Storage(config.get("first_seq") or 1)
        self.used = bool(config.get("first_seq"))
        """Whether its sequences have begun; the server says 0 before."""
        self.removed: Recent[StoredMessage] = Recent()
        """Messages, except those that expired."""
        self.consumers: dict[str, Consumer] = {}
        self.has_leader = True
        self.refusal = ""
        """Why it stores nothing at present, such as a full disk; empty if it does."""
        self._environment = environment
        self._known = Deduplication()
        self._ends: list[tuple[float, int]] = []
        """When messages with a TTL go, soonest first."""
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self.configure(config)

    def configure(self, config: Config) -> None:
        self.config = config
        self._age: float = config["max_age"] / NANOSECONDS
        self._window: float = config["duplicate_window"] / NANOSECONDS
        self._marker_ttl: float = config.get("subject_delete_marker_ttl", 0) / NANOSECONDS
        self._discard_new = config["discard"] == "new"
        self._in_memory = config["storage"] == "memory"
        transform = config.get("subject_transform")
        self._transform = Transform(transform["src"], transform["dest"]) if transform else None
        self._enforce()
        self._schedule()

    def takes(self, subject: str) -> bool:
        return any(matches(pattern, subject) for pattern in self.config["subjects"])

    def publish(self, subject: str, data: bytes, headers: Headers | None) -> bytes:
        """Store it; returns the acknowledgement.

        Raises:
            ApiError: it is not stored.
        """
        now = self._environment.now
        if self._transform:
            subject = self._transform.apply(subject)
        limit = self.config["max_msg_size"]
        if limit >= 0 and len(data) + header_length(headers) > limit:
            raise errors.ApiError(400, 10054, "message size exceeds maximum allowed")
        conditions = _NO_CONDITIONS
        if headers:
            conditions = read_conditions(headers)
            if known := self._check(conditions, subject, now):
                return b'{"stream":"%s","seq":%d,"duplicate": true}' % (self.name.encode(), known)
        if self.refusal:
            raise errors.not_stored(self.refusal)
        size = stored_size(subject, data, headers, in_memory=self._in_memory)
        self._make_room(subject, size)
        if conditions.rollup:
            self._roll_up(subject, conditions.rollup)
        message = self._store(subject, data, headers, size, conditions.ttl)
        self._known.add(conditions.identity, message.sequence, now)
        return b'{"stream":"%s","seq":%d}' % (self.name.encode(), message.sequence)

    def remove(self, sequence: int, *, expired: bool = False) -> StoredMessage | None:
        """Take a message out, as if it had never been there for consumers that have not had it yet."""
        message = self.storage.remove(sequence)
        if message is not None:
            if not expired:
                self.removed.add(self._environment.now, message)
            for consumer in self.consumers.values():
                consumer.removed(message)
        return message

    def purge(self, pattern: str = ">", *, before: int = 0, keep: int = 0) -> int:
        """Remove messages, all by default; returns their number."""
        storage = self.storage
        doomed = sorted(number for subject in storage.subjects(pattern) for number in storage.by_subject[subject])
        if before:
            doomed = [number for number in doomed if number < before]
        elif keep:
            doomed = doomed[:-keep]
        for sequence in doomed:
            if message := storage.remove(sequence):
                self.removed.add(self._environment.now, message)
        if before and pattern == ">":
            storage.skip_to(before)
        for consumer in self.consumers.values():
            consumer.purged(storage.first)
        return len(doomed)

    def forgotten(self) -> None:
        """The server has forgotten the last messages."""
        last = self.storage.last
        self._ends = [each for each in self._ends if each[1] <= last]
        heapify(self._ends)
        self.forget_settled_ids()

    def forget_settled_ids(self) -> None:
        """A restarted server knows only the ids of messages that it still holds."""
        held = {(message.headers or {}).get("Nats-Msg-Id") for message in self.storage.messages.values()}
        self._known.keep(held)

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _check(self, conditions: Conditions, subject: str, now: float) -> int:
        """Raise where a header's condition does not hold; returns the sequence of what was stored under the same id."""
        if conditions.ttl is not None and conditions.ttl != INVALID and not self.config["allow_msg_ttl"]:
            raise errors.ApiError(400, 10166, "per-message TTL is disabled")
        if conditions.stream and conditions.stream != self.name:
            raise errors.ApiError(400, 10060, "expected stream does not match")
        if conditions.last is not None and conditions.last != self.storage.last:
            raise errors.wrong_sequence(self.storage.last)
        if conditions.last_of_subject is not None:
            about = conditions.about or subject
            newest = self.storage.last_of(about) if "*" not in about and ">" not in about else self._last_like(about)
            if newest != conditions.last_of_subject:
                raise errors.wrong_sequence(newest)
        if conditions.identity and (known := self._known.find(conditions.identity, now - self._window)):
            return known
        if conditions.last_identity is not None and conditions.last_identity != self._known.last:
            raise errors.ApiError(400, 10070, f"wrong last msg ID: {self._known.last}")
        if conditions.ttl == INVALID:
            raise errors.ApiError(400, 10165, "invalid per-message TTL")
        if conditions.rollup:
            if not self.config["allow_rollup_hdrs"] or self.config["deny_purge"]:
                raise errors.ApiError(500, 10111, "rollup not permitted")
            if conditions.rollup not in ("sub", "all"):
                raise errors.ApiError(500, 10111, f'rollup value invalid: "{conditions.rollup}"')
        return 0

    def _last_like(self, pattern: str) -> int:
        message = self.storage.newest(pattern)
        return message.sequence if message else 0

    def _make_room(self, subject: str, size: int) -> None:
        """Raise where the stream is full and keeps what it has."""
        if not self._discard_new:
            return
        config, storage = self.config, self.storage
        replaced = None
        found, most = storage.by_subject.get(subject), config["max_msgs_per_subject"]
        if found and 0 < most <= len(found):
            if config.get("discard_new_per_subject"):
                raise errors.not_stored("maximum messages per subject exceeded")
            replaced = storage.messages[found[0]]
        if 0 < config["max_msgs"] <= len(storage.messages) and not replaced:
            raise errors.not_stored("maximum messages exceeded")
        full = 0 < config["max_bytes"] <= storage.bytes + size
        if full and not (replaced and replaced.size > size):
            raise errors.not_stored("maximum bytes exceeded")

    def _roll_up(self, subject: str, what: str) -> None:
        storage = self.storage
        doomed: Iterable[int] = storage.messages if what == "all" else storage.by_subject.get(subject, ())
        for sequence in list(doomed):
            self.remove(sequence)

    def _store(self, subject: str, data: bytes, headers: Headers | None, size: int, ttl: float | None) -> StoredMessage:
        now, storage = self._environment.now, self.storage
        self.used = True
        message = StoredMessage(storage.last + 1, subject, data, headers, nanoseconds(now), size, ttl is not None)
        storage.add(message)
        if ttl:
            heappush(self._ends, (now + ttl, message.sequence))
        most = self.config["max_msgs_per_subject"]
        if most > 0:
            found = storage.by_subject[subject]
            while len(found) > most:
                self.remove(found[0])
        if not self._discard_new:
            self._enforce()
        if ttl or self._age:
            self._schedule()
        for consumer in list(self.consumers.values()):
            consumer.stored(message)
        return message

    def _enforce(self) -> None:
        """Drop the oldest messages beyond the limits."""
        config, storage = self.config, self.storage
        most_messages, most_bytes, most = config["max_msgs"], config["max_bytes"], config["max_msgs_per_subject"]
        while 0 < most_messages < len(storage.messages) or 0 < most_bytes < storage.bytes:
            self.remove(storage.first)
        if most > 0:
            for found in list(storage.by_subject.values()):
                while len(found) > most:
                    self.remove(found[0])

    def _schedule(self) -> None:
        """Wake up when the next message ends."""
        due: float | None = self._ends[0][0] if self._ends else None
        oldest = next((each for each in self.storage.messages.values() if not each.keeps), None)
        if self._age and oldest:
            due = min(seconds(oldest.stored_at) + self._age + _ROUNDING, due or float("inf"))
        if due is None or (self._timer and self._timer_at <= due):
            return
        if self._timer:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._environment.after(max(0.0, due - self._environment.now), self._expire)

    def _expire(self) -> None:
        now, self._timer = self._environment.now, None
        while self._ends and self._ends[0][0] <= now:
            self._end(heappop(self._ends)[1])
        if self._age:
            before = nanoseconds(now - self._age)
            for sequence in self._older(lambda message: message.stored_at <= before):
                self._end(sequence)
        self._schedule()

    def _older(self, is_old: Callable[[StoredMessage], bool]) -> list[int]:
        found: list[int] = []
        for sequence, message in self.storage.messages.items():
            if not is_old(message):
                break
            if not message.keeps:
                found.append(sequence)
        return found

    def _end(self, sequence: int) -> None:
        """Remove what has expired; with it a subject may end, which leaves a mark if the stream wants one."""
        message = self.remove(sequence, expired=True)
        if message is None or not self._marker_ttl or message.subject in self.storage.by_subject:
            return
        if "Nats-Marker-Reason" in (message.headers or {}):
            return
        ttl = go_duration(self.config["subject_delete_marker_ttl"])
        headers = {"Nats-Marker-Reason": "MaxAge", "Nats-TTL": ttl, "Nats-Rollup": "sub"}
        size = stored_size(message.subject, b"", headers, in_memory=self._in_memory)
        self._store(message.subject, b"", headers, size, self._marker_ttl)
