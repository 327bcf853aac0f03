"""Progress of the copy, stored in the file itself, to detect what JetStream lost."""

from dataclasses import dataclass, replace
from typing import Self

import aiosqlite

from email_consumer.replica.capture import CHANGES, PROGRESS
from email_consumer.replica.row_writer import END_LOST
from email_consumer.replica.stream import CopyState
from email_consumer.store.database import Database


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """Of the current copy."""

    generation: str
    version: int
    """Schema version of its rows."""
    sequence: int
    """The last acknowledged sequence in the stream."""
    table: str | None = None
    """The table whose rows are being copied; None when all were copied."""
    key: str | None = None
    """Key of its last copied row (JSON); None before the first."""

    @property
    def whole(self) -> bool:
        return self.table is None

    def at(self, sequence: int) -> Self:
        return replace(self, sequence=sequence)

    def reaching(self, table: str | None, key: str | None = None) -> Self:
        return replace(self, table=table, key=key)


async def read_progress(database: Database) -> CopyProgress | None:
    """None if the file was never copied nor rebuilt."""
    rows = await database.fetch(f"SELECT generation, version, sequence, name, key FROM {PROGRESS}")  # noqa: S608 - a constant
    return CopyProgress(*rows[0]) if rows else None


async def forget_progress(connection: aiosqlite.Connection) -> None:
    """Including pending changes."""
    await connection.execute(f"DELETE FROM {PROGRESS}")  # noqa: S608 - a constant
    await connection.execute(f"DELETE FROM {CHANGES}")  # noqa: S608 - a constant


async def write_progress(connection: aiosqlite.Connection, progress: CopyProgress) -> None:
    await connection.execute(
        f"INSERT OR REPLACE INTO {PROGRESS} (id, generation, version, sequence, name, key) VALUES (1, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (progress.generation, progress.version, progress.sequence, progress.table, progress.key),
    )


def loss(progress: CopyProgress, found: CopyState | None) -> str | None:
    """Why the copy is known to be incomplete; None if it is not."""
    if found is None:
        return "its stream was deleted"
    if not progress.generation:
        return None
    if found.mark is None:
        return "its start is missing: the stream was purged, truncated by a limit, or recreated"
    if found.mark.generation != progress.generation:
        return "it is not the latest copy"
    if found.last_sequence < progress.sequence:
        return END_LOST
    return None


def loss_meanwhile(
    progress: CopyProgress, found: CopyState | None, *, rows: int, changes: int, batch: int
) -> str | None:
    """As `loss`, at startup, when nothing changes and more can be checked.

    Of the `rows` in the file, `changes` are pending or were copied without being recorded; of an unfinished copy, also up to
    `batch` rows.
    """
    if lost := loss(progress, found):
        return lost
    assert found is not None  # noqa: S101 - else it is lost
    unrecorded = changes + (0 if progress.whole else batch)
    if progress.generation and found.last_sequence - progress.sequence > unrecorded:
        return "it is newer than the file: a backup was restored"
    if progress.whole and found.rows < rows - changes:
        return f"{rows - changes - found.rows:,} of its rows were deleted"
    return None
