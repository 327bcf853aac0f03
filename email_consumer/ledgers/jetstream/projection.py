"""The sidecar's tables, brought up to what the workers' outcomes say: at least once, in any order, to the same end."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import aiosqlite
import orjson
import structlog

from email_consumer.core.delivery import Delivery
from email_consumer.core.foreign_records import why_unreadable
from email_consumer.core.outcome import LeftOut
from email_consumer.ledgers.jetstream import statements
from email_consumer.ledgers.jetstream.mail_state import MailState, read_states
from email_consumer.ledgers.rows import left_out_rows
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.runtime.throttle import Throttle
from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCommit
from email_consumer.store.status import Status

_AFTER = {
    Status.SENT: {Status.SENT},
    Status.STOPPED: {Status.SENT, Status.FAILED, Status.STOPPED},
}
"""What may follow where the sidecar was faster than the worker: by SES's own event, or by cancelling its topic."""

_SKIPS_TOLD_EVERY = 60.0
"""Seconds between two lines: whoever may publish to the stream could go on for ever."""

_log = structlog.get_logger(__name__)


class Projection:
    """`handle` is what a JetStream intake on the outcomes calls for each delivery, which is one batch."""

    def __init__(
        self,
        database: Database,
        sent: Callable[[int], None] = lambda _: None,
        shown: Callable[[list[MailState]], Awaitable[None]] | None = None,
    ) -> None:
        """`sent` is told how many more mails the tables show as sent; `shown` has each batch before it is acknowledged."""
        self._sent = sent
        self._shown = shown
        self._skips = Throttle(_SKIPS_TOLD_EVERY)
        self._group: GroupCommit[list[MailState], int] = GroupCommit(database, _write)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write groups until the block ends."""
        async with supervised(Service("projection", self._group.run)):
            yield

    async def handle(self, delivery: Delivery) -> None:
        """Bring one batch into the tables."""
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


async def _write(connection: aiosqlite.Connection, batches: list[list[MailState]]) -> list[int]:
    """How many mails each batch showed as sent."""
    entries = [entry for batch in batches for entry in batch]
    conflicts = [entry for entry in entries if entry["conflict"]]
    uuids = orjson.dumps(list({entry["uuid"] for entry in entries})).decode()
    known = {row["uuid"]: row for row in await connection.execute_fetchall(statements.SHOWN, (uuids,))}
    shown = {uuid: (row["status"], row["revision"]) for uuid, row in known.items()}
    news = [[entry for entry in batch if _is_news(entry, shown)] for batch in batches]
    for round_ in _rounds([entry for batch in news for entry in batch]):
        await connection.executemany(statements.RETIRE_FORMER, round_)
        await connection.executemany(statements.DISPLACE, round_)
        await connection.executemany(statements.SHOW, round_)
        await connection.executemany(statements.REMARK, [entry for entry in round_ if entry["remark"]])
        await connection.executemany(statements.LEFT_OUT, [row for entry in round_ for row in _left_out(entry)])
    await connection.executemany(statements.FAIL_CONFLICTING, conflicts)
    await connection.executemany(statements.REMARK_CONFLICT, conflicts)
    return [sum(entry["status"] == Status.SENT for entry in batch) for batch in news]


def _is_news(entry: MailState, shown: dict[str, tuple[int, int]]) -> bool:
    """Whether the row doesn't tell it yet; if so, it will."""
    if entry["conflict"]:  # the row is another mail's
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
    """Each mail at most once a round, its entries in their order."""
    while entries:
        first = {entry["uuid"]: entry for entry in reversed(entries)}
        yield list(first.values())
        entries = [entry for entry in entries if first[entry["uuid"]] is not entry]
