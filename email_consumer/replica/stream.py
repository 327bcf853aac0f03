"""The stream that holds the copy, with a subject per row, so that only the latest state of a row is kept.

A stream loses messages at its start (a limit, a purge, a recreated stream) or at its end (a power cut before the disk was
synced). So the first message of a copy is a mark that is never rewritten: as long as it exists, and the last sequence is
the acknowledged one, everything in between exists, too.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

import orjson
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RawStreamMsg, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

from email_consumer.core.foreign_records import JUNK

PARTS = "Email-Parts"
"""Header of a row larger than a message: its number of parts. The other parts precede it."""
_BEGUN = "-.begun"
_WHOLE = "-.whole"
_MARKS = 2


def stream_name(stream: str) -> str:
    return f"{stream}-rows"


@dataclass(frozen=True, slots=True)
class CopyMark:
    """The first message of a copy."""

    generation: str
    """Identifies the copy."""
    version: int
    """Schema version of its rows."""
    ledger: str
    """Identity of the copied file."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """Number of rows by table when the copy was started."""
    follows: bool = False
    """The previous copy was complete and of the same rows, so rows that are not replaced yet exist, too."""

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def decode(cls, value: bytes | None) -> Self | None:
        """None if invalid."""
        try:
            given = orjson.loads(value or b"")
            rows = {str(name): int(count) for name, count in given["rows"].items()}
            names = str(given["generation"]), int(given["version"]), str(given["ledger"])
            mark = cls(*names, rows, follows=given["follows"] is True)
        except JUNK:
            return None
        return mark if mark.generation else None


@dataclass(frozen=True, slots=True)
class CopyState:
    """The copy as JetStream holds it."""

    info: StreamInfo
    mark: CopyMark | None
    mark_sequence: int
    whole: bool
    """Whether all rows were copied once; changes are copied since."""

    @property
    def messages(self) -> int:
        return int(self.info.state.messages)

    @property
    def rows(self) -> int:
        """An upper bound for a complete copy: large rows count several times, and deleted rows for another second."""
        return self.messages - (_MARKS if self.mark else 0)

    @property
    def last_sequence(self) -> int:
        return int(self.info.state.last_seq)

    @property
    def limits(self) -> list[str]:
        """Stream limits that make JetStream drop rows."""
        config = self.info.config
        limits = {"max_bytes": config.max_bytes, "max_msgs": config.max_msgs, "max_age": config.max_age}
        return [f"{name} {limit:,g}" for name, limit in limits.items() if (limit or 0) > 0]


class CopyStream:
    """For the mail stream with that name."""

    def __init__(self, jetstream: JetStreamContext, stream: str) -> None:
        self.name = stream_name(stream)
        self.mark_subject = f"{self.name}.{_BEGUN}"
        self.whole_subject = f"{self.name}.{_WHOLE}"
        self._jetstream = jetstream

    def row_subject(self, table: str, key: str) -> str:
        """`key` is the primary key as JSON. Parts of large rows append a dot and their number."""
        return f"{self.name}.{table}.{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}"

    def is_mark(self, subject: str) -> bool:
        return subject in (self.mark_subject, self.whole_subject)

    async def ensure(self, replicas: int) -> None:
        """Create it if it does not exist.

        Raises:
            nats.errors.Error: JetStream did not respond.
        """
        try:
            await self._jetstream.stream_info(self.name)
        except NotFoundError:
            await self._jetstream.add_stream(
                StreamConfig(
                    name=self.name,
                    subjects=[f"{self.name}.>"],
                    retention=RetentionPolicy.LIMITS,
                    storage=StorageType.FILE,
                    discard=DiscardPolicy.NEW,  # a limit set by someone causes errors instead of dropping rows
                    max_msgs_per_subject=1,
                    allow_msg_ttl=True,
                    num_replicas=replicas,
                )
            )

    async def state(self) -> CopyState | None:
        """The current state; None without a stream.

        Raises:
            nats.errors.Error: JetStream did not respond.
        """
        try:
            info = await self._jetstream.stream_info(self.name)
        except NotFoundError:
            return None
        begun = await self._last(self.mark_subject)
        mark = CopyMark.decode(begun.data) if begun else None
        whole = await self._last(self.whole_subject) if mark else None
        is_whole = bool(mark and whole and whole.data == mark.generation.encode())
        return CopyState(info, mark, (begun.seq if begun else None) or 0, is_whole)

    async def drop_before(self, sequence: int) -> None:
        """Drop rows of an earlier copy that this one did not replace: they no longer exist."""
        if sequence > 1:  # 0 would purge everything; so does 1, up to nats-server 2.14.0 at least
            await self._jetstream.purge_stream(self.name, seq=sequence)

    async def drop(self, subject: str) -> None:
        """Purge a subject, which may be a filter."""
        await self._jetstream.purge_stream(self.name, subject=subject)

    async def delete(self) -> None:
        await self._jetstream.delete_stream(self.name)

    async def _last(self, subject: str) -> RawStreamMsg | None:
        try:
            return await self._jetstream.get_last_msg(self.name, subject)
        except NotFoundError:
            return None
