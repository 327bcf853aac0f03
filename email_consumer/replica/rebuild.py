"""Rebuilds the sidecar's SQLite file from the copy in JetStream."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.replica.new_file import UNMARKED, NewFile, new_file
from email_consumer.replica.row_reader import RowReader
from email_consumer.replica.stream import CopyState, CopyStream
from email_consumer.runtime.errors import OperatorError
from email_consumer.store.database import newest_version


class RebuildError(OperatorError):
    """The file can't be rebuilt; the text says why."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Contents of the new file."""

    rows: int
    skipped: int
    """Messages that were not valid rows."""
    missing: list[str]
    """What is missing; empty unless `incomplete` was allowed."""


async def rebuild(path: Path, client: Client, *, stream: str, incomplete: bool = False) -> Rebuilt:
    """Create the file at `path`, if the copy is complete or `incomplete` allows it to be incomplete.

    Raises:
        RebuildError: the file exists, there is no copy, something is missing, or JetStream did not respond.
        StoreError: the file can't be written.
    """
    if _exists(path):
        raise RebuildError(f"DB_PATH: {path} already exists; stop the sidecar and move the file away first")
    copy = CopyStream(client.jetstream(), stream)
    unfinished = path.with_name(f"{path.name}.rebuilding")
    _delete(unfinished)  # of an interrupted rebuild
    try:
        found = await copy.state()
        if found is None or not found.messages:
            raise RebuildError(
                f"JetStream holds no copy of the rows (stream {copy.name}); a sidecar keeps one, unless COPY_ROWS is false"
            )
        rebuilt = await _rebuild(unfinished, RowReader(client, copy), found)
    except (NatsError, TimeoutError) as error:
        raise RebuildError(f"JetStream did not respond ({error!r}); nothing is lost, run it again") from None
    if rebuilt.missing and not incomplete:
        _delete(unfinished)
        raise RebuildError(
            f"the copy in stream {copy.name} is not complete: {'; '.join(rebuilt.missing)}. Restore a backup of the file "
            f"if you have one, and start the sidecar; otherwise `email-consumer rebuild --incomplete` creates a file from the "
            f"{rebuilt.rows:,} rows that exist"
        )
    unfinished.rename(path)
    _delete(unfinished)
    return rebuilt


async def _rebuild(path: Path, reader: RowReader, found: CopyState) -> Rebuilt:
    if found.mark and found.mark.version > newest_version():
        raise RebuildError(f"the copy is from a newer email-consumer (version {found.mark.version}); upgrade this one")
    # During an upgrade, rows have different schema versions: older rows are inserted first, then migrated.
    *older, newest = await _versions(reader, found)
    for version in older:
        async with new_file(path, version, reader.skip) as file:
            await _fill(file, reader, version)
    async with new_file(path, newest, reader.skip) as file:
        await _fill(file, reader, newest)
        await file.drop_late()
        counts = await file.counts()
        missing = [*_unproven(found, counts, marked=newest != UNMARKED), *await file.gaps()]
        await file.adopt(found)
    return Rebuilt(sum(counts.values()), reader.skipped, missing)


async def _versions(reader: RowReader, found: CopyState) -> list[int]:
    """Schema versions of the rows, ascending."""
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


def _unproven(found: CopyState, counts: Mapping[str, int], *, marked: bool) -> list[str]:
    """Signs of missing rows, with their number if known."""
    if found.whole or (found.mark and found.mark.follows):
        return []
    if found.mark is None:
        return ["its start is missing: the stream was purged, truncated by a limit, or recreated"] if marked else []
    short = [f"{counts[name]:,} of {rows:,} {name}" for name, rows in found.mark.rows.items() if counts[name] < rows]
    return [f"not all rows had been copied when the sidecar ended ({', '.join(short) or 'the last ones are missing'})"]


def _exists(path: Path) -> bool:
    return path.exists()


def _delete(path: Path) -> None:
    """Including SQLite's other files and the lock file."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink(missing_ok=True)  # SQLite may delete its own meanwhile
