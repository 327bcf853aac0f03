"""Reads the rows of a copy from its stream, skipping anything else: anyone with permission can publish to it."""

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
"""Number of invalid messages that are logged."""

_log = structlog.get_logger(__name__)

Value = None | int | float | str | bytes


@dataclass(frozen=True, slots=True)
class CopiedRow:
    """A copied row."""

    table: str
    version: int | None
    """Its schema version; None before versions were recorded."""
    values: Mapping[str, Value]


class RowReader:
    """Each call of `rows` reads the whole stream."""

    def __init__(self, client: Client, stream: CopyStream) -> None:
        self._client = client
        self._stream = stream
        self._parts: dict[str, dict[int, bytes]] = {}
        self.skipped = 0
        """Invalid messages during the last read."""

    async def rows(self) -> AsyncGenerator[CopiedRow, None]:
        """All rows, ordered by their last change.

        Raises:
            nats.errors.Error, TimeoutError: JetStream did not respond.
        """
        self.skipped, self._parts = 0, {}
        async with aclosing(read_stream(self._client, self._stream.name, subject=f"{self._stream.name}.>")) as messages:
            async for message in messages:
                if message.data and not self._stream.is_mark(message.subject) and (row := self._row(message)):
                    yield row
        for name in self._parts:
            self.skip(f"{self._stream.name}.{name}", "parts of a row without the first part")

    def skip(self, subject: str, why: str) -> None:
        """Count an invalid message."""
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
            self.skip(message.subject, "not a row, or a part is missing")  # the error text could contain its data
            return None

    def _join(self, row: str, message: Msg) -> bytes:
        """Join the parts of a large row, whose first part comes last."""
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
