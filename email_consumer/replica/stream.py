"""The copy as it stands in JetStream: a stream with a subject for each row, so that only a row's newest state is kept.

What JetStream loses of a stream, it loses from its beginning (a limit, a purge, a stream made again) or from its end (a
power cut before the disk was synced). So the first message of a copy is a mark that is never written again: as long as it is
there, and the last sequence is the one that was acknowledged, everything between them is there too.
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
"""The header of a row that is larger than a message may be: how many there are. The others come before it."""
_BEGUN = "-.begun"
_WHOLE = "-.whole"
_MARKS = 2


def stream_name(stream: str) -> str:
    return f"{stream}-rows"


@dataclass(frozen=True, slots=True)
class Mark:
    """The first message of a copy."""

    generation: str
    """Names the copy."""
    version: int
    """Of the schema that its rows have."""
    ledger: str
    """The identity of the file that is copied."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """How many each table had when the copy was begun."""
    follows: bool = False
    """The copy before this one was whole, and of the same rows: those that aren't replaced yet are there all the same."""

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def decode(cls, value: bytes | None) -> Self | None:
        """None where it isn't ours."""
        try:
            given = orjson.loads(value or b"")
            rows = {str(name): int(count) for name, count in given["rows"].items()}
            names = str(given["generation"]), int(given["version"]), str(given["ledger"])
            mark = cls(*names, rows, follows=given["follows"] is True)
        except JUNK:
            return None
        return mark if mark.generation else None


@dataclass(frozen=True, slots=True)
class Found:
    """What JetStream holds."""

    info: StreamInfo
    mark: Mark | None
    mark_sequence: int
    whole: bool
    """All rows had been copied once; since then changes were."""

    @property
    def messages(self) -> int:
        return int(self.info.state.messages)

    @property
    def rows(self) -> int:
        """An upper bound for a whole copy: a large row counts more than once, and a deleted one for another second."""
        return self.messages - (_MARKS if self.mark else 0)

    @property
    def last_sequence(self) -> int:
        return int(self.info.state.last_seq)

    @property
    def limits(self) -> list[str]:
        """What makes JetStream drop rows, though it shouldn't."""
        config = self.info.config
        limits = {"max_bytes": config.max_bytes, "max_msgs": config.max_msgs, "max_age": config.max_age}
        return [f"{name} {limit:,g}" for name, limit in limits.items() if (limit or 0) > 0]


class CopyStream:
    """Of the mail's stream of that name."""

    def __init__(self, jetstream: JetStreamContext, stream: str) -> None:
        self.name = stream_name(stream)
        self.mark_subject = f"{self.name}.{_BEGUN}"
        self.whole_subject = f"{self.name}.{_WHOLE}"
        self._jetstream = jetstream

    def row_subject(self, table: str, key: str) -> str:
        """`key` is the primary key as JSON. After a further dot comes the number of a large row's part."""
        return f"{self.name}.{table}.{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}"

    def is_mark(self, subject: str) -> bool:
        return subject in (self.mark_subject, self.whole_subject)

    async def ensure(self, replicas: int) -> None:
        """Make it if it is absent.

        Raises:
            nats.errors.Error: JetStream did not answer.
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
                    discard=DiscardPolicy.NEW,  # a limit that somebody sets is heard of, and drops nothing
                    max_msgs_per_subject=1,
                    allow_msg_ttl=True,
                    num_replicas=replicas,
                )
            )

    async def look(self) -> Found | None:
        """What there is; None without a stream.

        Raises:
            nats.errors.Error: JetStream did not answer.
        """
        try:
            info = await self._jetstream.stream_info(self.name)
        except NotFoundError:
            return None
        begun = await self._last(self.mark_subject)
        mark = Mark.decode(begun.data) if begun else None
        whole = await self._last(self.whole_subject) if mark else None
        is_whole = bool(mark and whole and whole.data == mark.generation.encode())
        return Found(info, mark, (begun.seq if begun else None) or 0, is_whole)

    async def drop_before(self, sequence: int) -> None:
        """What an earlier copy left and this one did not replace: rows that are not there any more."""
        if sequence > 0:  # none would stand for all
            await self._jetstream.purge_stream(self.name, seq=sequence)

    async def drop(self, subject: str) -> None:
        """All messages of the subject, which may be a filter."""
        await self._jetstream.purge_stream(self.name, subject=subject)

    async def delete(self) -> None:
        await self._jetstream.delete_stream(self.name)

    async def _last(self, subject: str) -> RawStreamMsg | None:
        try:
            return await self._jetstream.get_last_msg(self.name, subject)
        except NotFoundError:
            return None
