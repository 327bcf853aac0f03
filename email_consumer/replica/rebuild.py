"""Makes the sidecar's SQLite file again from what JetStream holds of its rows."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.replica.new_file import UNMARKED, NewFile, new_file
from email_consumer.replica.row_reader import RowReader
from email_consumer.replica.stream import CopyStream, Found
from email_consumer.runtime.errors import OperatorError
from email_consumer.store.database import newest_version


class RebuildError(OperatorError):
    """The file can't be made again; in plain words."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the new file has."""

    rows: int
    skipped: int
    """Messages that were no rows of ours."""
    missing: list[str]
    """What it lacks, in plain words; nothing unless that was allowed."""


async def rebuild(path: Path, client: Client, *, stream: str, incomplete: bool = False) -> Rebuilt:
    """Write a new file at `path`. It is there once it is complete, or all that there is where `incomplete` allows it.

    Raises:
        RebuildError: there is a file already, nothing to make it from, something is missing, or no answer.
        StoreError: the file can't be written.
    """
    if _exists(path):
        raise RebuildError(f"DB_PATH: {path} is there already; stop the sidecar and move the file away first")
    copy = CopyStream(client.jetstream(), stream)
    unfinished = path.with_name(f"{path.name}.rebuilding")
    _delete(unfinished)  # of a rebuild that was cut off
    try:
        found = await copy.look()
        if found is None or not found.messages:
            raise RebuildError(
                f"JetStream holds no copy of the rows (stream {copy.name}); a sidecar keeps one, unless COPY_ROWS is false"
            )
        rebuilt = await _rebuild(unfinished, RowReader(client, copy), found)
    except (NatsError, TimeoutError) as error:
        raise RebuildError(f"JetStream gave no answer ({error!r}); nothing is lost, run it again") from None
    if rebuilt.missing and not incomplete:
        _delete(unfinished)
        raise RebuildError(
            f"the copy in stream {copy.name} is not complete: {'; '.join(rebuilt.missing)}. Put a backup of the file back "
            f"if there is one, and start the sidecar; else `email-consumer rebuild --incomplete` makes a file of the "
            f"{rebuilt.rows:,} rows that there are"
        )
    unfinished.rename(path)
    _delete(unfinished)
    return rebuilt


async def _rebuild(path: Path, reader: RowReader, found: Found) -> Rebuilt:
    if found.mark and found.mark.version > newest_version():
        raise RebuildError(f"the copy is a newer email-consumer's (version {found.mark.version}); upgrade this one")
    # An upgrade replaces rows by those of its schema, one after the other: older ones are put in first, and migrated.
    *older, newest = await _versions(reader, found)
    for version in older:
        async with new_file(path, version, reader.skip) as file:
            await _fill(file, reader, version)
    async with new_file(path, newest, reader.skip) as file:
        await _fill(file, reader, newest)
        await file.drop_late()
        counts = await file.counts()
        missing = [*_unproven(found, counts, marked=newest != UNMARKED), *await file.gaps()]
        await file.belong_to(found)
    return Rebuilt(sum(counts.values()), reader.skipped, missing)


async def _versions(reader: RowReader, found: Found) -> list[int]:
    """Of the rows, ascending."""
    marked = {found.mark.version} if found.mark else set()
    if found.whole:
        return sorted(marked)
    async with aclosing(reader.rows()) as rows:
        seen = {row.version or UNMARKED async for row in rows}
    known = {version for version in seen if UNMARKED <= version <= newest_version()}
    return sorted(known | marked) or [newest_version()]


async def _fill(file: NewFile, reader: RowReader, version: int) -> None:
    async with aclosing(reader.rows()) as rows:
        async for row in rows:
            if (row.version or UNMARKED) == version:
                await file.add(row)
    await file.flush()


def _unproven(found: Found, counts: Mapping[str, int], *, marked: bool) -> list[str]:
    """Signs that there were more rows, with their number where it is known."""
    if found.whole or (found.mark and found.mark.follows):
        return []
    if found.mark is None:
        return ["its beginning is gone: the stream was purged, cut by a limit, or made again"] if marked else []
    short = [f"{counts[name]:,} of {rows:,} {name}" for name, rows in found.mark.rows.items() if counts[name] < rows]
    return [f"not all rows had been copied when the sidecar ended ({', '.join(short) or 'the last ones are missing'})"]


def _exists(path: Path) -> bool:
    return path.exists()


def _delete(path: Path) -> None:
    """With the files that SQLite and the lock put next to it."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink(missing_ok=True)  # SQLite may take its own away meanwhile
