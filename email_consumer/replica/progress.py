"""What the file itself knows of its copy, so that a copy that lost something can be recognized."""

from dataclasses import dataclass, replace
from typing import Self

import aiosqlite

from email_consumer.replica.capture import CHANGES, PROGRESS
from email_consumer.replica.row_writer import END_LOST
from email_consumer.replica.stream import Found
from email_consumer.store.database import Database


@dataclass(frozen=True, slots=True)
class Progress:
    """Of the one copy there is."""

    generation: str
    version: int
    """Of the schema that its rows have."""
    sequence: int
    """The last one in the stream that we know of."""
    table: str | None = None
    """The one that is being copied from end to end; None: all of them were."""
    key: str | None = None
    """The last row of it that was copied (JSON); None: none yet."""

    @property
    def whole(self) -> bool:
        return self.table is None

    def at(self, sequence: int) -> Self:
        return replace(self, sequence=sequence)

    def reaching(self, table: str | None, key: str | None = None) -> Self:
        return replace(self, table=table, key=key)


async def read_progress(database: Database) -> Progress | None:
    """None: this file was never copied, and not made again from a copy."""
    rows = await database.fetch(f"SELECT generation, version, sequence, name, key FROM {PROGRESS}")  # noqa: S608 - a constant
    return Progress(*rows[0]) if rows else None


async def forget_progress(connection: aiosqlite.Connection) -> None:
    """With what changed since."""
    await connection.execute(f"DELETE FROM {PROGRESS}")  # noqa: S608 - a constant
    await connection.execute(f"DELETE FROM {CHANGES}")  # noqa: S608 - a constant


async def write_progress(connection: aiosqlite.Connection, progress: Progress) -> None:
    await connection.execute(
        f"INSERT OR REPLACE INTO {PROGRESS} (id, generation, version, sequence, name, key) VALUES (1, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (progress.generation, progress.version, progress.sequence, progress.table, progress.key),
    )


def loss(progress: Progress, found: Found | None) -> str | None:
    """What shows that the copy lost something, in plain words; None where nothing does."""
    if found is None:
        return "its stream was deleted"
    if not progress.generation:
        return None
    if found.mark is None:
        return "its beginning is gone: the stream was purged, cut by a limit, or made again"
    if found.mark.generation != progress.generation:
        return "it is not the one that was begun last"
    if found.last_sequence < progress.sequence:
        return END_LOST
    return None


def loss_meanwhile(progress: Progress, found: Found | None, *, rows: int, changes: int, at_once: int) -> str | None:
    """The same at start, when nothing is being copied or changed and more can be checked.

    Of the `rows` in the file, `changes` were noted and not copied, or copied and not noted as such; of a copy of all rows, so
    were `at_once` at the most.
    """
    if lost := loss(progress, found):
        return lost
    assert found is not None  # noqa: S101 - else it is lost
    unnoted = changes + (0 if progress.whole else at_once)
    if progress.generation and found.last_sequence - progress.sequence > unnoted:
        return "it is newer than the file: a backup was put back"
    if progress.whole and found.rows < rows - changes:
        return f"{rows - changes - found.rows:,} of its rows were deleted"
    return None
