"""What the server sees of deliveries: an answer that settles one too early, too soon, or not at all is found as it comes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import orjson

from email_consumer.core.mail_queue import ORIGIN
from email_consumer.message.model import UndecodableError, decode, uuid_tag
from email_consumer.store.status import Status
from tests.simulation.jetstream.consumer import Consumer, Next
from tests.simulation.jetstream.environment import NANOSECONDS
from tests.simulation.jetstream.message import Headers, StoredMessage
from tests.simulation.jetstream.stream import Stream

if TYPE_CHECKING:
    from tests.simulation.site import Site

_SOONEST = 0.7
"""Seconds for which mail that is returned stays away at least."""
_CLAIMS = "$KV.{}-claims."


class Deliveries:
    """Watches the mail stream, its dead letters and its claims; `found` says what must not be."""

    def __init__(self, site: "Site", stream: str) -> None:
        self.found: list[str] = []
        self.interrupted: list[tuple[float, float]] = []
        """From when until when something kept a process from answering, in true time."""
        self._site = site
        self._stream = stream
        self._delivered: dict[tuple[str, int], float] = {}
        """When each message was delivered last."""
        self._returned: set[tuple[str, int]] = set()
        """Those that were returned since."""
        self._dead: set[str] = set()
        """Uuids with a dead letter."""
        self.dead_letters: list[tuple[str, bytes]] = []
        """Kind and payload of all that were ever stored."""
        self._last_letter: dict[bytes, float] = {}
        """When a dead letter was last stored, by payload."""
        self._names: dict[str, list[str]] = {}
        """The claims that each record has had, in order."""

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Watch until the block ends."""
        answered, take, publish, watch = Consumer.answered, Consumer.take, Stream.publish, self

        def watched_answered(self: Consumer, sequence: int, delivery: int, answer: bytes) -> None:
            if self.stream.name == watch._stream and sequence in self.redelivery.unsettled:
                watch._answered(self, sequence, answer)
            answered(self, sequence, delivery, answer)

        def watched_take(self: Consumer, found: Next) -> Any:
            if self.stream.name == watch._stream:
                watch._taken(found)
            return take(self, found)

        def watched_publish(self: Stream, subject: str, data: bytes, headers: Headers | None) -> bytes:
            kept = publish(self, subject, data, headers)
            if b"duplicate" not in kept:
                watch._stored(subject, data)
            return kept

        with ExitStack() as patches:
            patches.enter_context(mock.patch.object(Consumer, "answered", watched_answered))
            patches.enter_context(mock.patch.object(Consumer, "take", watched_take))
            patches.enter_context(mock.patch.object(Stream, "publish", watched_publish))
            yield

    def interrupt(self, seconds: float) -> None:
        """From now on, for so long, a process may be kept from answering."""
        now = self._site.world.now
        self.interrupted.append((now, now + seconds))

    def forgotten(self, lost: Mapping[str, Sequence[StoredMessage]]) -> None:
        """NATS has lost these messages, by stream: records of claims are what they were before."""
        bucket = f"KV_{self._stream}-claims"
        for message in lost.get(bucket, ()):
            tag = message.subject.removeprefix(_CLAIMS.format(self._stream))
            self._site.world.trace("forgotten", record=tag, value=message.data[:80])
            if names := self._names.get(tag):
                stream = self._site.server.jetstream.streams[bucket]
                found = stream.storage.newest(message.subject)
                name = orjson.loads(found.data).get("claim", "") if found and found.data else None
                self._names[tag] = names[: names.index(name) + 1] if name in names else []

    # What happens

    def _answered(self, consumer: Consumer, sequence: int, answer: bytes) -> None:
        message = consumer.stream.storage.messages.get(sequence)
        if message is None:
            return
        key = self._key(message)
        if answer.startswith(b"-NAK"):
            self._returned.add(key)
            delay = orjson.loads(answer[4:].strip() or b"{}").get("delay", 0) / NANOSECONDS
            if delay < _SOONEST and not self._quiet(self._site.world.now):
                self.found.append(f"message {sequence} was returned to come again in {delay:g} s")
        elif answer.startswith(b"+TERM"):
            # Since it was delivered; somebody may have purged it by now.
            stored = self._last_letter.get(message.data, -math.inf) >= self._delivered.get(key, 0.0)
            if not stored and not self._is_dead(message):
                self.found.append(f"message {sequence} was given up before its dead letter was stored")
        elif answer.startswith(b"+ACK") and (why := self._not_durable(consumer, message)):
            self.found.append(f"message {sequence} was acknowledged at {self._site.world.now:.1f}: {why}")

    def _taken(self, found: Next) -> None:
        key, now = self._key(found.message), self._site.world.now
        before = self._delivered.get(key)
        self._delivered[key] = now
        if found.count > 1 and before is not None and key not in self._returned and not self._quiet(before, now):
            self.found.append(
                f"message {key[1]}, delivered at {before:.1f}, came again at {now:.1f}: its holder gave no sign of life"
            )
        self._returned.discard(key)

    def _stored(self, subject: str, data: bytes) -> None:
        if subject.startswith(f"{self._stream}-dead."):
            kind = subject.rpartition(".")[2]
            uuid = _uuid(data)
            self.dead_letters.append((kind, data))
            self._last_letter[data] = self._site.world.now
            first = uuid not in self._dead  # each delivery of a mail that was published twice may leave one
            if uuid and kind in {"rejected", "exhausted", "in-doubt"}:
                self._dead.add(uuid)
                if first and self._status(uuid) == Status.FAILED:
                    self.found.append(f"mail {uuid} was recorded as failed before its dead letter was stored")
        elif subject.startswith(prefix := _CLAIMS.format(self._stream)) and data:
            self._claimed(subject.removeprefix(prefix), data)

    def _claimed(self, tag: str, data: bytes) -> None:
        record = orjson.loads(data)
        if not isinstance(record, dict):  # the mark of a bucket that is whole
            return
        name = record.get("claim", "")
        names = self._names.setdefault(tag, [])
        if names and names[-1] == name:
            return
        if name in names and "-" in name:
            self.found.append(f"the record of {tag} went back to claim {name}, which another had replaced")
        names.append(name)

    # What is known

    def _quiet(self, begin: float, end: float | None = None) -> bool:
        """Whether something kept a process from answering in that time."""
        end = begin if end is None else end
        if any(since <= end and begin <= until for since, until in self.interrupted):
            return True
        if any(member.stop.is_set() for member in self._site.installation.members.values()):
            return True
        return any(
            begin - 1.0 <= moment <= end
            for member in self._site.installation.members.values()
            for moment in member.changes
        )

    def _key(self, message: StoredMessage) -> tuple[str, int]:
        return f"{message.stored_at}", message.sequence

    def _is_dead(self, message: StoredMessage) -> bool:
        dead = self._site.server.jetstream.streams.get(f"{self._stream}-dead")
        uuid = _uuid(message.data)
        return dead is None or any(
            each.data == message.data or (uuid and _uuid(each.data) == uuid) for each in dead.storage.messages.values()
        )

    def _not_durable(self, consumer: Consumer, message: StoredMessage) -> str:
        """Why nothing but this message knows of the mail; empty if something does."""
        uuid = _uuid(message.data)
        if not uuid:
            return "it can't be decoded"
        for sequence, other in consumer.stream.storage.messages.items():  # it was published twice
            waits = sequence in consumer.redelivery.unsettled or sequence >= consumer.cursor.position
            if waits and other is not message and _uuid(other.data) == uuid:
                return ""
        kept = ORIGIN in (message.headers or {})
        for row in self._site.rows("SELECT status, content_id, published_at FROM email_requests WHERE uuid = ?", uuid):
            put_back = kept and row["published_at"] is None  # because of a hold
            if row["status"] >= Status.SENT or (row["content_id"] is not None and (put_back or not kept)):
                return ""
        status = self._record(uuid)
        if status is not None and status >= Status.SENT:
            return ""
        streams = self._site.server.jetstream.streams
        for name in (f"{self._stream}-outcomes", f"{self._stream}-scheduled"):
            found = streams.get(name)
            messages = list(found.storage.messages.values()) if found else []
            if kept and name.endswith("scheduled"):
                messages = [each for each in messages if "Email-Held-By" in (each.headers or {})]
            if any(uuid.encode() in each.data for each in messages):
                return ""
        return f"nothing durable says what became of {uuid}"

    def _status(self, uuid: str) -> int | None:
        record = self._record(uuid)
        if record is not None:
            return record
        rows = self._site.rows("SELECT status FROM email_requests WHERE uuid = ?", uuid)
        return int(rows[0]["status"]) if rows else None

    def _record(self, uuid: str) -> int | None:
        bucket = self._site.server.jetstream.streams.get(f"KV_{self._stream}-claims")
        subject = _CLAIMS.format(self._stream) + uuid_tag(uuid)
        newest = bucket.storage.last_of(subject) if bucket else 0
        message = bucket.storage.messages.get(newest) if bucket and newest else None
        return int(orjson.loads(message.data)["status"]) if message and message.data else None


def _uuid(payload: bytes) -> str:
    """Of a mail; empty if it can't be decoded."""
    try:
        return decode(payload).uuid
    except UndecodableError:
        return ""
