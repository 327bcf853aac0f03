"""Maintains the copy of the rows in JetStream: starts it, keeps it up to date, and restarts it after a loss."""

import asyncio
import sqlite3
import time
from uuid import uuid4

import structlog
from nats.errors import Error as NatsError

from email_consumer.jetstream.publisher import LostAckError, Publisher, RefusedError
from email_consumer.replica.begun_copy import BegunCopy
from email_consumer.replica.capture import Table, capture, count_rows
from email_consumer.replica.progress import (
    CopyProgress,
    forget_progress,
    loss,
    loss_meanwhile,
    read_progress,
    write_progress,
)
from email_consumer.replica.row_writer import LostCopyError, RowWriter
from email_consumer.replica.stream import CopyMark, CopyState, CopyStream
from email_consumer.runtime.errors import OperatorError
from email_consumer.store.database import Database, newest_version

_BATCH = 2000
_IDLE = 0.25
"""Seconds between checks for changes."""
_YIELD = 0.01
"""Seconds between two full batches: a copy of all rows takes about half of the time at most."""
_PAUSES = 9
"""Pause before all rows are copied again, as a multiple of the duration of the last such copy."""
_FINISH_TIMEOUT = 5.0
_TEMPORARY = (sqlite3.OperationalError, NatsError, TimeoutError, LostAckError, RefusedError)

_log = structlog.get_logger(__name__)


class OtherCopyError(OperatorError):
    """JetStream holds a copy of another file; the text says what to do."""


class Copier:
    """Starts copies, and restarts them if JetStream lost something."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        stream: str,
        replicas: int,
        ledger: str,
        check_interval: float = 10.0,
    ) -> None:
        """Configure what is copied where.

        Args:
            database: the source.
            publisher: to JetStream.
            stream: the mail stream.
            replicas: of the stream of rows, if it is created.
            ledger: identity of the file.
            check_interval: seconds between checks of the stream.
        """
        self._database = database
        self._ledger = ledger
        self._stream = CopyStream(publisher.client.jetstream(), stream)
        self._writer = RowWriter(publisher, self._stream)
        self._replicas = replicas
        self._check_interval = check_interval
        self._tables: dict[str, Table] = {}
        self._begun: BegunCopy | None = None
        self._lost: str | None = None
        self._follows = False
        self._check_at = self._rows_from = self._spent = 0.0

    async def prepare(self) -> None:
        """Start recording changes; to be called before anything else writes.

        Raises:
            OtherCopyError: JetStream holds a copy of another file.
            nats.errors.Error: JetStream did not respond.
        """
        found, progress = await self._initial_state()
        self._tables = {table.name: table for table in await capture(self._database)}
        if progress is None:
            return
        rows, changes = await count_rows(self._database, self._tables.values())
        lost = loss_meanwhile(progress, found, rows=sum(rows.values()), changes=changes, batch=_BATCH)
        if progress.generation and progress.version == newest_version():
            self._begun = self._copy(progress)
        elif found and not lost:  # an upgrade: the copy to be replaced was complete
            self._follows = progress.whole or bool(found.mark and found.mark.follows)
        self._lost = lost

    async def retire(self) -> None:
        """Delete the copy, because COPY_ROWS is false and it would become outdated.

        Raises:
            OtherCopyError: JetStream holds a copy of another file.
            nats.errors.Error: JetStream did not respond.
        """
        found, _ = await self._initial_state()
        if found:
            await self._stream.delete()
            _log.warning("replica.deleted", stream=self._stream.name, hint="COPY_ROWS is false")
        async with self._database.transaction() as connection:
            await forget_progress(connection)

    async def run(self) -> None:
        """Until cancelled."""
        logged = False
        while True:
            try:
                copied = await self.copy()
            except _TEMPORARY as error:
                if not logged:
                    _log.warning(
                        "replica.behind", error=repr(error), hint="it resumes automatically; nothing is forgotten"
                    )
                logged, copied = True, 0
                self._check_at = 0.0
            else:
                logged = False
            await asyncio.sleep(_IDLE if copied < _BATCH else _YIELD)

    async def finish(self) -> None:
        """Copy pending changes within a timeout; the rest is copied after the next start."""
        try:
            async with asyncio.timeout(_FINISH_TIMEOUT):
                while self._begun and not self._lost and await self._begun.copy_changes(_BATCH):
                    pass
        except (*_TEMPORARY, LostCopyError) as error:
            _log.warning("replica.behind", error=repr(error), hint="goes on at the next start; nothing is forgotten")

    async def copy(self) -> int:
        """One batch; returns the number of copied changes and rows.

        Raises:
            sqlite3.OperationalError, nats.errors.Error, TimeoutError, LostAckError, RefusedError: retried by `run`.
        """
        if self._begun and not self._lost and time.monotonic() >= self._check_at:
            found = await self._stream.state()
            self._lost = loss(self._begun.progress, found)
            self._writer.apply_limits(found)
            self._check_at = time.monotonic() + self._check_interval
        if self._begun is None or self._lost:
            self._begun = await self._begin()
            self._lost, self._follows = None, False
        try:
            copied = await self._begun.copy_changes(_BATCH)
            if (began := time.monotonic()) >= self._rows_from:
                copied += await self._begun.copy_rows(_BATCH)
                self._spent += time.monotonic() - began
        except LostCopyError as error:
            self._lost = str(error)
            return _BATCH
        return copied

    def _copy(self, progress: CopyProgress) -> BegunCopy:
        return BegunCopy(self._database, self._tables, self._stream, self._writer, progress)

    async def _initial_state(self) -> tuple[CopyState | None, CopyProgress | None]:
        found, progress = await self._stream.state(), await read_progress(self._database)
        if found and found.messages:
            known = found.mark.ledger == self._ledger if found.mark else progress is not None
            if not known:
                raise OtherCopyError(
                    f"DB_PATH: JetStream holds a copy of a different file than {self._database.path}: if that file is "
                    f"lost, move this one away and run `email-consumer rebuild`; to go on with this one, delete the "
                    f"stream {self._stream.name}"
                )
        return found, progress

    async def _begin(self) -> BegunCopy:
        """Start a copy of all rows. Rows of an earlier copy stay until all are replaced."""
        rows, _ = await count_rows(self._database, self._tables.values())
        if self._lost:
            _log.warning("replica.lost", reason=self._lost, rows=sum(rows.values()), hint="all rows are copied again")
        else:
            _log.info("replica.begun", rows=sum(rows.values()))
        await self._stream.ensure(self._replicas)
        mark = CopyMark(uuid4().hex, newest_version(), self._ledger, rows, follows=self._follows)
        sequence = await self._writer.put_mark(self._stream.mark_subject, mark.encode())
        progress = CopyProgress(mark.generation, mark.version, sequence, next(iter(self._tables)))
        async with self._database.transaction() as connection:
            await write_progress(connection, progress)
        # What broke this copy, such as a limit, would break the next one, too: so pause.
        self._rows_from, self._spent = time.monotonic() + self._spent * _PAUSES, 0.0
        self._check_at = time.monotonic() + self._check_interval
        return self._copy(progress)
