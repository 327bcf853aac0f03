"""Applies the workers' outcomes to the sidecar's tables: at least once, in any order, with the same result."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import aiosqlite
import orjson
import structlog

from email_consumer.core.delivery import Delivery
from email_consumer.core.foreign_records import why_unreadable
from email_consumer.core.mail_group import Tally
from email_consumer.core.outcome import LeftOut
from email_consumer.ledgers.jetstream import statements
from email_consumer.ledgers.jetstream.mail_state import MailState, read_states
from email_consumer.ledgers.rows import left_out_rows
from email_consumer.message.lane import Lane
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.runtime.throttle import Throttle
from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCommit
from email_consumer.store.status import Status

_AFTER = {
    Status.SENT: {Status.SENT},
    Status.STOPPED: {Status.SENT, Status.FAILED, Status.STOPPED},
}
"""Allowed next states of rows that the sidecar changed before the outcome arrived: by an event from SES, or a cancellation."""

_SKIPS_LOGGED_EVERY = 60.0
"""Seconds between two log lines: anybody with access to the stream could publish junk forever."""

_log = structlog.get_logger(__name__)


class Projection:
    """`handle` is called for each delivery of the stream of outcomes, which is one batch."""

    def __init__(
        self,
        database: Database,
        sent: Callable[[Tally], None] = lambda _: None,
        shown: Callable[[list[MailState]], Awaitable[None]] | None = None,
    ) -> None:
        """`sent` is called with the numbers of mails newly shown as sent; `shown` with each batch before it is acknowledged."""
        self._sent = sent
        self._shown = shown
        self._skips = Throttle(_SKIPS_LOGGED_EVERY)
        self._group: GroupCommit[list[MailState], Tally] = GroupCommit(database, _write)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write groups until the block ends."""
        async with supervised(Service("projection", self._group.run)):
            yield

    async def handle(self, delivery: Delivery) -> None:
        """Apply one batch to the tables."""
        entries: list[MailState] = []
        for each in read_states(delivery.payload):
            if isinstance(each, Exception):
                self._skip(delivery, each)
            else:
                entries.append(each)
        if entries:
            self._sent(await self._group.submit(entries))
            if self._shown:
                await self._shown(entries)
        await delivery.ack()

    def _skip(self, delivery: Delivery, error: Exception) -> None:
        unlogged = self._skips.admit("entry")
        if unlogged is not None:
            _log.warning(
                "outcomes.unreadable", reference=delivery.reference, error=why_unreadable(error), unlogged=unlogged
            )


async def _write(connection: aiosqlite.Connection, batches: list[list[MailState]]) -> list[Tally]:
    """Apply batches; returns for each how many mails it showed as sent."""
    entries = [entry for batch in batches for entry in batch]
    conflicts = [entry for entry in entries if entry["conflict"]]
    uuids = orjson.dumps(list({entry["uuid"] for entry in entries})).decode()
    known = {row["uuid"]: row for row in await connection.execute_fetchall(statements.SHOWN, (uuids,))}
    shown = {uuid: (row["status"], row["revision"]) for uuid, row in known.items()}
    newer = [[entry for entry in batch if _is_newer(entry, shown)] for batch in batches]
    for round_ in _rounds([entry for batch in newer for entry in batch]):
        await connection.executemany(statements.RETIRE_FORMER, round_)
        await connection.executemany(statements.DISPLACE, round_)
        await connection.executemany(statements.SHOW, round_)
        await connection.executemany(statements.TRACE, [entry for entry in round_ if entry["traceparent"]])
        await connection.executemany(statements.REMARK, [entry for entry in round_ if entry["remark"]])
        await connection.executemany(statements.LEFT_OUT, [row for entry in round_ for row in _left_out(entry)])
    await connection.executemany(statements.FAIL_CONFLICTING, conflicts)
    await connection.executemany(statements.REMARK_CONFLICT, conflicts)
    return [Tally(_group(entry) for entry in batch if entry["status"] == Status.SENT) for batch in newer]


def _group(entry: MailState) -> tuple[str | None, str | None, bool]:
    return entry["topic_id"], entry["tenant"], entry["lane"] != Lane.TRANSACTIONAL


def _is_newer(entry: MailState, shown: dict[str, tuple[int, int]]) -> bool:
    """Whether the state is newer than the row; if so, it is remembered as shown."""
    if entry["conflict"]:  # the row belongs to another mail
        return False
    status, revision = shown.get(entry["uuid"], (Status.CREATED, -1))
    former = 0 < revision < entry["life"]
    stays = entry["status"] not in _AFTER.get(Status(status), set(Status)) and not former
    if entry["revision"] <= revision or stays:
        return False
    shown[entry["uuid"]] = (entry["status"], entry["revision"])
    return True


def _left_out(entry: MailState) -> list[dict[str, object]]:
    return left_out_rows(entry["uuid"], (LeftOut(*each) for each in entry["left_out"]), entry["now"])


def _rounds(entries: list[MailState]) -> Iterator[list[MailState]]:
    """Split into rounds with at most one entry per mail, keeping the order of its entries."""
    while entries:
        first = {entry["uuid"]: entry for entry in reversed(entries)}
        yield list(first.values())
        entries = [entry for entry in entries if first[entry["uuid"]] is not entry]
