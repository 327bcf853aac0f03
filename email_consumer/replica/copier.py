"""Keeps the copy of the rows in JetStream: starts it, maintains it, and starts again if it lost something."""

import asyncio
import sqlite3
from time import monotonic
from uuid import uuid4

import structlog
from nats.errors import Error as NatsError

from email_consumer.jetstream.publisher import LostAckError, Publisher, RefusedError
from email_consumer.replica.begun_copy import BegunCopy
from email_consumer.replica.capture import Table, capture, count_rows
from email_consumer.replica.progress import (
    Progress,
    forget_progress,
    loss,
    loss_meanwhile,
    read_progress,
    write_progress,
)
from email_consumer.replica.row_writer import LostCopyError, RowWriter
from email_consumer.replica.stream import CopyStream, Found, Mark
from email_consumer.runtime.errors import OperatorError
from email_consumer.store.database import Database, newest_version

_AT_ONCE = 2000
_IDLE = 0.25
"""Seconds between two looks for changes."""
_BREATH = 0.01
"""Seconds between two full rounds: a copy of all rows takes no more than about half of the time."""
_PAUSES = 9
"""The pause before all rows are copied again, as a multiple of the time that the last such copy took."""
_LAST_ROUNDS = 5.0
_PASSING = (sqlite3.OperationalError, NatsError, TimeoutError, LostAckError, RefusedError)

_log = structlog.get_logger(__name__)


class OtherCopyError(OperatorError):
    """JetStream holds the rows of a file that is not this one; in plain words."""


class Copier:
    """Begins copies, and begins another one where JetStream lost what it held."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        stream: str,
        replicas: int,
        ledger: str,
        look: float = 10.0,
    ) -> None:
        """Take what is copied where.

        Args:
            database: whose rows are copied.
            publisher: to JetStream.
            stream: the mail's.
            replicas: of the stream of rows, if it has to be made.
            ledger: the file's identity.
            look: seconds between two looks at what JetStream still holds.
        """
        self._database = database
        self._ledger = ledger
        self._stream = CopyStream(publisher.client.jetstream(), stream)
        self._writer = RowWriter(publisher, self._stream)
        self._replicas = replicas
        self._look = look
        self._tables: dict[str, Table] = {}
        self._begun: BegunCopy | None = None
        self._lost: str | None = None
        self._follows = False
        self._look_at = self._rows_from = self._spent = 0.0

    async def prepare(self) -> None:
        """To be called before anything else writes.

        Raises:
            OtherCopyError: what JetStream holds is another file's.
            nats.errors.Error: JetStream did not answer.
        """
        found, progress = await self._first_look()
        self._tables = {table.name: table for table in await capture(self._database)}
        if progress is None:
            return
        rows, changes = await count_rows(self._database, self._tables.values())
        lost = loss_meanwhile(progress, found, rows=sum(rows.values()), changes=changes, at_once=_AT_ONCE)
        if progress.generation and progress.version == newest_version():
            self._begun = self._copy(progress)
        elif found and not lost:  # an upgrade: what is replaced was whole
            self._follows = progress.whole or bool(found.mark and found.mark.follows)
        self._lost = lost

    async def retire(self) -> None:
        """There is to be no copy: the one that is there grows old and costs memory, so it is deleted.

        Raises:
            OtherCopyError: what JetStream holds is another file's.
            nats.errors.Error: JetStream did not answer.
        """
        found, _ = await self._first_look()
        if found:
            await self._stream.delete()
            _log.warning("replica.deleted", stream=self._stream.name, hint="COPY_ROWS is false")
        async with self._database.transaction() as connection:
            await forget_progress(connection)

    async def run(self) -> None:
        """Until cancelled."""
        complained = False
        while True:
            try:
                copied = await self.copy()
            except _PASSING as error:
                if not complained:
                    _log.warning(
                        "replica.behind", error=repr(error), hint="it resumes automatically; nothing is forgotten"
                    )
                complained, copied = True, 0
                self._look_at = 0.0
            else:
                complained = False
            await asyncio.sleep(_IDLE if copied < _AT_ONCE else _BREATH)

    async def finish(self) -> None:
        """Copy what changed, if JetStream takes it in good time; the rest is copied after the next start."""
        try:
            async with asyncio.timeout(_LAST_ROUNDS):
                while self._begun and not self._lost and await self._begun.copy_changes(_AT_ONCE):
                    pass
        except (*_PASSING, LostCopyError) as error:
            _log.warning("replica.behind", error=repr(error), hint="goes on at the next start; nothing is forgotten")

    async def copy(self) -> int:
        """One round: how many changes it took, and how many rows of a copy of all.

        Raises:
            sqlite3.OperationalError, nats.errors.Error, TimeoutError, LostAckError, RefusedError: they come again.
        """
        if self._begun and not self._lost and monotonic() >= self._look_at:
            found = await self._stream.look()
            self._lost = loss(self._begun.progress, found)
            self._writer.heed(found)
            self._look_at = monotonic() + self._look
        if self._begun is None or self._lost:
            self._begun = await self._begin()
            self._lost, self._follows = None, False
        try:
            copied = await self._begun.copy_changes(_AT_ONCE)
            if (began := monotonic()) >= self._rows_from:
                copied += await self._begun.copy_rows(_AT_ONCE)
                self._spent += monotonic() - began
        except LostCopyError as error:
            self._lost = str(error)
            return _AT_ONCE
        return copied

    def _copy(self, progress: Progress) -> BegunCopy:
        return BegunCopy(self._database, self._tables, self._stream, self._writer, progress)

    async def _first_look(self) -> tuple[Found | None, Progress | None]:
        found, progress = await self._stream.look(), await read_progress(self._database)
        if found and found.messages:
            known = found.mark.ledger == self._ledger if found.mark else progress is not None
            if not known:
                raise OtherCopyError(
                    f"DB_PATH: JetStream holds a copy of another file's rows than {self._database.path}: if that one is "
                    f"lost, move this one away and run `email-consumer rebuild`; to go on with this one, delete the "
                    f"stream {self._stream.name}"
                )
        return found, progress

    async def _begin(self) -> BegunCopy:
        """A copy of all rows. Those of an earlier one stay until all of them are replaced."""
        rows, _ = await count_rows(self._database, self._tables.values())
        if self._lost:
            _log.warning("replica.lost", reason=self._lost, rows=sum(rows.values()), hint="all rows are copied again")
        else:
            _log.info("replica.begun", rows=sum(rows.values()))
        await self._stream.ensure(self._replicas)
        mark = Mark(uuid4().hex, newest_version(), self._ledger, rows, follows=self._follows)
        sequence = await self._writer.put_mark(self._stream.mark_subject, mark.encode())
        progress = Progress(mark.generation, mark.version, sequence, next(iter(self._tables)))
        async with self._database.transaction() as connection:
            await write_progress(connection, progress)
        # What cut this copy, such as a limit, would cut the next one as well, and the one after it.
        self._rows_from, self._spent = monotonic() + self._spent * _PAUSES, 0.0
        self._look_at = monotonic() + self._look
        return self._copy(progress)
