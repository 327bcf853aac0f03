"""A copy in progress: changes, and all rows, table by table, until it is complete."""

from collections.abc import AsyncIterator, Mapping
from sqlite3 import Row

import msgpack
import structlog

from email_consumer.replica.capture import CHANGES, Table, changed_rows, next_rows
from email_consumer.replica.progress import CopyProgress, loss, write_progress
from email_consumer.replica.row_writer import LostCopyError, RowState, RowWriter
from email_consumer.replica.stream import CopyStream
from email_consumer.store.database import Database

_log = structlog.get_logger(__name__)


class BegunCopy:
    """At least once: progress is recorded only after JetStream has stored the rows."""

    def __init__(
        self,
        database: Database,
        tables: Mapping[str, Table],
        stream: CopyStream,
        writer: RowWriter,
        progress: CopyProgress,
    ) -> None:
        """`tables` by name, each after those it references."""
        self.progress = progress
        self._database = database
        self._tables = tables
        self._stream = stream
        self._writer = writer

    async def copy_changes(self, limit: int) -> int:
        """Copy at most `limit` changes; returns the number of copied changes.

        Raises:
            LostCopyError: the copy must be restarted.
            sqlite3.OperationalError, nats.errors.Error, LostAckError, RefusedError: retried by the caller.
        """
        changes = await self._database.fetch(f"SELECT seq, name FROM {CHANGES} ORDER BY seq LIMIT ?", (limit,))  # noqa: S608 - a constant
        if not changes and self._writer.idle:
            return 0
        last, names = changes[-1]["seq"] if changes else 0, {note["name"] for note in changes}
        put = await self._writer.put(self._changed(names, last), self.progress.sequence)
        progress = self.progress.at(put.sequence)
        async with self._database.transaction() as connection:
            await connection.execute(f"DELETE FROM {CHANGES} WHERE seq <= ?", (last,))  # noqa: S608 - a constant
            await write_progress(connection, progress)
        self.progress = progress
        return len(changes)

    async def copy_rows(self, limit: int) -> int:
        """Copy at most `limit` rows that the first pass has not reached; returns the number of copied rows.

        Raises:
            LostCopyError: the copy must be restarted.
            sqlite3.OperationalError, nats.errors.Error, LostAckError, RefusedError: retried by the caller.
        """
        copied = 0
        while copied < limit and (name := self.progress.table):
            put = await self._writer.put(self._rows(self._tables[name], limit - copied), self.progress.sequence)
            copied += put.rows
            progress = self.progress.at(put.sequence)
            progress = progress.reaching(name, put.key) if copied == limit else progress.reaching(self._after(name))
            if progress.whole:
                progress = await self._complete(progress)
            async with self._database.transaction() as connection:
                await write_progress(connection, progress)
            self.progress = progress
        return copied

    async def _complete(self, progress: CopyProgress) -> CopyProgress:
        found = await self._stream.state()
        if lost := loss(progress, found):
            raise LostCopyError(lost)
        assert found is not None  # noqa: S101 - else it is lost
        await self._stream.drop_before(found.mark_sequence)
        sequence = await self._writer.put_mark(self._stream.whole_subject, progress.generation.encode())
        _log.info("replica.whole", stream=self._stream.name)
        return progress.at(sequence)

    def _after(self, name: str) -> str | None:
        names = [*self._tables]
        return next(iter(names[names.index(name) + 1 :]), None)

    async def _changed(self, names: set[str], last: int) -> AsyncIterator[RowState]:
        for table in self._tables.values():
            if table.name in names:
                async for key, row in changed_rows(self._database, table, last):
                    yield self._state(table, key, row)

    async def _rows(self, table: Table, limit: int) -> AsyncIterator[RowState]:
        async for key, row in next_rows(self._database, table, self.progress.key, limit):
            yield self._state(table, key, row)

    def _state(self, table: Table, key: str, row: Row | None) -> RowState:
        if row is None:
            return RowState(table.name, key, None)
        content = [self.progress.version, {column: row[column] for column in table.columns}]
        return RowState(table.name, key, msgpack.packb(content))
