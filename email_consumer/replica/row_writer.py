"""Writes rows to the stream, in groups with a single acknowledgement.

JetStream stores messages of one connection in order, and there is no other writer. So only the last message of a group is
acknowledged: if its sequence is higher by the size of the group, all were stored. Acknowledging each message would be ten
times as expensive.
"""

from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from nats.errors import Error as NatsError
from nats.js.api import Header

from email_consumer.jetstream.publisher import LostAckError, Publisher
from email_consumer.replica.recent_deletions import MARKER_TTL, RecentDeletions
from email_consumer.replica.stream import PARTS, CopyState, CopyStream

_MAX_MESSAGES = 500
_MAX_BYTES = 1024 * 1024
"""Per group: the server stores it well within the timeout of an acknowledgement."""
_HEADER_ROOM = 128
_LARGE = {"email_contents"}
"""Tables whose rows may be split into parts."""
_DELETED = {Header.MSG_TTL.value: str(MARKER_TTL)}

END_LOST = "its end is missing: the NATS server lost acknowledged messages"


class LostCopyError(Exception):
    """The copy lost messages; the text says why."""


@dataclass(frozen=True, slots=True)
class RowState:
    """The new state of a row."""

    table: str
    key: str
    """The primary key as JSON."""
    content: bytes | None
    """None if deleted."""


@dataclass(frozen=True, slots=True)
class Put:
    """What was stored."""

    sequence: int
    """Of the last message."""
    rows: int = 0
    key: str | None = None
    """Of the last row."""


_Message = tuple[str, bytes, Mapping[str, str]]


class RowWriter:
    """The only writer of the stream."""

    def __init__(self, publisher: Publisher, stream: CopyStream) -> None:
        self._publisher = publisher
        self._stream = stream
        self._deletions = RecentDeletions(publisher.client)
        self._longest = inf

    @property
    def idle(self) -> bool:
        """Whether nothing has to be written but new changes."""
        return not self._deletions.to_repeat()

    def apply_limits(self, found: CopyState | None) -> None:
        """Keep messages within the stream's size limit."""
        limit = found.info.config.max_msg_size if found else None
        self._longest = limit if limit and limit > 0 else inf

    async def put(self, states: AsyncIterable[RowState], sequence: int) -> Put:
        """Return once all are stored. `sequence` is the last one before them.

        Raises:
            LostCopyError: the stream lost acknowledged messages.
            LostAckError, RefusedError: some may not be stored.
            nats.errors.Error: JetStream did not respond.
        """
        rows, key = 0, None
        sequence = await self._repeat_deletions(sequence)
        group: list[_Message] = []
        size = 0
        async for state in states:
            rows, key = rows + 1, state.key
            for message in await self._messages(state):
                group.append(message)
                size += len(message[1])
                if len(group) >= _MAX_MESSAGES or size >= _MAX_BYTES:
                    sequence = await self._put(group, sequence)
                    group, size = [], 0
        if group:
            sequence = await self._put(group, sequence)
        self._deletions.expire()
        return Put(sequence, rows, key)

    async def put_mark(self, subject: str, payload: bytes) -> int:
        """Write a mark; returns its sequence.

        Raises:
            LostAckError, RefusedError: it may not be stored.
        """
        return (await self._publisher.once(subject, payload, {})).sequence

    async def _repeat_deletions(self, sequence: int) -> int:
        subjects, reconnects = self._deletions.to_repeat(), self._deletions.reconnects
        for start in range(0, len(subjects), _MAX_MESSAGES):
            group = [(subject, b"", _DELETED) for subject in subjects[start : start + _MAX_MESSAGES]]
            sequence = await self._put(group, sequence)
        self._deletions.repeated(reconnects)
        return sequence

    async def _messages(self, state: RowState) -> list[_Message]:
        subject = self._stream.row_subject(state.table, state.key)
        if state.content is None:
            if state.table in _LARGE:
                await self._stream.drop(f"{subject}.>")
            self._deletions.add(subject)
            return [(subject, b"", _DELETED)]
        self._deletions.discard(subject)
        room = max(1, int(min(self._longest, self._publisher.client.max_payload)) - _HEADER_ROOM)
        first, *others = [state.content[start : start + room] for start in range(0, len(state.content), room)]
        parts: list[_Message] = [(f"{subject}.{number}", part, {}) for number, part in enumerate(others, start=1)]
        return [*parts, (subject, first, {PARTS: str(len(others) + 1)} if others else {})]

    async def _put(self, group: Sequence[_Message], before: int) -> int:
        *quiet, last = group
        try:
            for subject, payload, headers in quiet:
                await self._publisher.client.publish(subject, payload, headers=dict(headers) or None)
        except NatsError as error:
            raise LostAckError(repr(error)) from None
        stored = await self._publisher.once(*last)
        if stored.sequence <= before:
            raise LostCopyError(END_LOST)
        if stored.sequence - before != len(group):  # one was refused, or there is another writer
            for message in group:
                stored = await self._publisher.once(*message)
        return stored.sequence
