"""Puts rows into the stream, very many of them with one acknowledgement.

JetStream gives what one connection publishes consecutive sequences, and nobody else writes here. So only the last message of
a group is acknowledged: if its sequence is as much higher as there are messages, all were stored. An acknowledgement each
would cost ten times as much.
"""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from math import inf

from nats.errors import Error as NatsError
from nats.js.api import Header

from email_consumer.jetstream.publisher import LostAckError, Publisher
from email_consumer.replica.stream import PARTS, CopyStream, Found

_MOST_MESSAGES = 500
_MOST_BYTES = 1024 * 1024
"""Of a group: the server has stored it long before an acknowledgement is taken for lost."""
_HEADER_ROOM = 128
_LARGE = {"email_contents"}
"""Tables whose rows may have parts."""
_GONE = {Header.MSG_TTL.value: "1"}
"""Seconds that the note of a deleted row is kept: it only has to take the row's place."""

END_LOST = "its end is gone: the NATS server lost what it had acknowledged"


class LostCopyError(Exception):
    """The copy lost something; in plain words."""


@dataclass(frozen=True, slots=True)
class RowState:
    """What is to be known of one row from now on."""

    table: str
    key: str
    """The primary key as JSON."""
    content: bytes | None
    """None: it was deleted."""


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
    """For one copier, the only one that writes."""

    def __init__(self, publisher: Publisher, stream: CopyStream) -> None:
        self._publisher = publisher
        self._stream = stream
        self._longest = inf

    def heed(self, found: Found | None) -> None:
        """No message is to be longer than the stream takes."""
        limit = found.info.config.max_msg_size if found else None
        self._longest = limit if limit and limit > 0 else inf

    async def put(self, states: AsyncIterable[RowState], sequence: int) -> Put:
        """Return once all are stored. `sequence` is that of what was put before them.

        Raises:
            LostCopyError: the stream has fewer messages than it had acknowledged.
            LostAckError, RefusedError: not all of them are known to be stored.
            nats.errors.Error: JetStream did not answer.
        """
        rows, key = 0, None
        group: list[_Message] = []
        size = 0
        async for state in states:
            rows, key = rows + 1, state.key
            for message in await self._messages(state):
                group.append(message)
                size += len(message[1])
                if len(group) >= _MOST_MESSAGES or size >= _MOST_BYTES:
                    sequence = await self._put(group, sequence)
                    group, size = [], 0
        return Put(await self._put(group, sequence) if group else sequence, rows, key)

    async def put_mark(self, subject: str, payload: bytes) -> int:
        """Its sequence.

        Raises:
            LostAckError, RefusedError: not known to be stored.
        """
        return (await self._publisher.once(subject, payload, {})).sequence

    async def _messages(self, state: RowState) -> list[_Message]:
        subject = self._stream.row_subject(state.table, state.key)
        if state.content is None:
            if state.table in _LARGE:
                await self._stream.drop(f"{subject}.>")
            return [(subject, b"", _GONE)]
        room = max(1, int(min(self._longest, self._publisher.client.max_payload)) - _HEADER_ROOM)
        first, *others = [state.content[start : start + room] for start in range(0, len(state.content), room)]
        parts: list[_Message] = [(f"{subject}.{number}", part, {}) for number, part in enumerate(others, start=1)]
        return [*parts, (subject, first, {PARTS: str(len(others) + 1)} if others else {})]

    async def _put(self, group: list[_Message], before: int) -> int:
        *quiet, last = group
        try:
            for subject, payload, headers in quiet:
                await self._publisher.client.publish(subject, payload, headers=dict(headers) or None)
        except NatsError as error:
            raise LostAckError(repr(error)) from None
        stored = await self._publisher.once(*last)
        if stored.sequence <= before:
            raise LostCopyError(END_LOST)
        if stored.sequence - before != len(group):  # one was refused, or somebody else wrote
            for message in group:
                stored = await self._publisher.once(*message)
        return stored.sequence
