"""The rows of a copy, read from its stream. Whatever else lies there is skipped: anybody with the rights can publish to it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import msgpack
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from email_consumer.core.foreign_records import JUNK
from email_consumer.jetstream.stream_reader import read_stream
from email_consumer.replica.stream import PARTS, CopyStream

_LOGGED = 5
"""How many messages that are no rows are logged each."""

_log = structlog.get_logger(__name__)

Value = None | int | float | str | bytes


@dataclass(frozen=True, slots=True)
class CopiedRow:
    """One row as it was copied."""

    table: str
    version: int | None
    """Of the schema it has; None: of a time when that wasn't noted."""
    values: Mapping[str, Value]


class RowReader:
    """`rows` goes through the stream, as often as it is called."""

    def __init__(self, client: Client, stream: CopyStream) -> None:
        self._client = client
        self._stream = stream
        self._parts: dict[str, dict[int, bytes]] = {}
        self.skipped = 0
        """Messages of the last time that are no rows of ours."""

    async def rows(self) -> AsyncGenerator[CopiedRow, None]:
        """All there are, in the order in which they were last changed.

        Raises:
            nats.errors.Error, TimeoutError: JetStream did not answer.
        """
        self.skipped, self._parts = 0, {}
        async with aclosing(read_stream(self._client, self._stream.name, subject=f"{self._stream.name}.>")) as messages:
            async for message in messages:
                if message.data and not self._stream.is_mark(message.subject) and (row := self._row(message)):
                    yield row
        for name in self._parts:
            self.skip(f"{self._stream.name}.{name}", "parts of a row without its first")

    def skip(self, subject: str, why: str) -> None:
        """Count a message that is no row of ours."""
        self.skipped += 1
        if self.skipped <= _LOGGED:
            _log.warning("rebuild.skipped", subject=subject[:100], reason=why[:200])

    def _row(self, message: Msg) -> CopiedRow | None:
        try:
            table, name = message.subject.removeprefix(f"{self._stream.name}.").split(".", 1)
            if "." in name:
                row, _, number = name.rpartition(".")
                self._parts.setdefault(f"{table}.{row}", {})[int(number)] = message.data
                return None
            return CopiedRow(table, *_read(self._join(f"{table}.{name}", message)))
        except JUNK:
            self.skip(message.subject, "no row, or a part of one is missing")  # the error would repeat what it says
            return None

    def _join(self, row: str, message: Msg) -> bytes:
        """The whole of a large row, whose first part comes last."""
        others = self._parts.pop(row, {})
        count = int((message.headers or {}).get(PARTS, 1))
        return message.data + b"".join(others[number] for number in range(1, count))


def _read(content: bytes) -> tuple[int | None, dict[str, Value]]:
    row = msgpack.unpackb(content)
    version: object = None
    if isinstance(row, list):
        version, row = row
    if not isinstance(row, dict) or not (version is None or isinstance(version, int)):
        raise TypeError
    for name, value in row.items():
        if not isinstance(name, str) or not (value is None or isinstance(value, int | float | str | bytes)):
            raise TypeError
    return version, row
