"""The ledger in SQLite, for one process: claims and outcomes as group commits, a TTL cache in front.

Only one process can have the file open, so a row that is in hand and not in doubt is in *our* hands.
"""

import asyncio
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import orjson
import structlog
from cachetools import TTLCache

from email_consumer.claim import Claim, ClaimAnswer, Origin
from email_consumer.ledger import statements
from email_consumer.ledger.decision import LEASE, Decision, Granted, Inheritance, Known, Policy, Step, Stopper, decide
from email_consumer.ledger.entries import ClaimEntry, FinishEntry, ScheduleEntry, change
from email_consumer.ledger.rows import keep_for_later, new_row
from email_consumer.message import EmailMessage
from email_consumer.outcome import InDoubt, Outcome, Sent, Stopped
from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCommit
from email_consumer.store.status import Status
from email_consumer.tasks import beside

_CACHED_UUIDS = 10_000
"""About 4 MB. A duplicate that is older costs one look-up in the file."""

_log = structlog.get_logger(__name__)

Entry = ClaimEntry | FinishEntry | ScheduleEntry


class SqliteLedger:
    """See `email_consumer.claim.Ledger`."""

    def __init__(
        self,
        database: Database,
        stopper: Stopper,
        policy: Policy,
        *,
        inheritance: Inheritance | None = None,
        valid_until: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """`stopper` tells what cancellations and the suppression list say of a mail.

        No claim reaches beyond `valid_until` (event-loop clock): until then nobody else sends.
        """
        self._inheritance = inheritance or Inheritance(0, 0.0)
        self._valid_until = valid_until
        self._database = database
        self._stopper = stopper
        self._policy = policy
        self._finished: TTLCache[str, None] = TTLCache(_CACHED_UUIDS, policy.idempotency_ttl)
        self._group: GroupCommit[Entry, Any] = GroupCommit(database, self._write)
        self._held: set[str] = set()
        """Our claims between `claim` and `finish`."""
        self._events_since = time.time()
        self.when_scheduled: Callable[[], None] = lambda: None
        """Called after mail that is due later was taken into keeping."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Mark what a dead process left, then write groups until the block ends."""
        async with self._database.transaction() as connection:
            orphans = (await connection.execute(statements.DOUBT_ORPHANS)).rowcount
        if orphans:
            _log.warning("ledger.in_doubt", mails=orphans, hint="the process before this one ended while sending them")
        async with beside(self._group.run):
            yield

    def events_expected_from(self, moment: float) -> None:
        """The event receiver is ready since `moment` (Unix seconds): a grace counts from here at the earliest."""
        self._events_since = moment

    def knows_finished(self, uuid: str) -> bool:
        return uuid in self._finished

    def settled(self, uuid: str) -> None:
        """SES's own event has proved that the mail was sent."""
        self._finished[uuid] = None

    async def claim(self, message: EmailMessage, origin: Origin) -> ClaimAnswer:
        answer: ClaimAnswer = await self._group.submit(ClaimEntry(message, origin))
        return answer

    async def finish(self, message: EmailMessage, outcome: Outcome, origin: Origin) -> None:
        try:
            await self._group.submit(FinishEntry(message, origin, outcome))
        finally:
            self._held.discard(message.uuid)
        if isinstance(outcome, Sent):
            self._finished[message.uuid] = None

    async def schedule(self, message: EmailMessage, origin: Origin) -> bool:
        kept: bool = await self._group.submit(ScheduleEntry(message, origin))
        if kept:
            self.when_scheduled()
        return kept

    async def _write(self, connection: aiosqlite.Connection, entries: list[Entry]) -> list[Any]:
        now = time.time()
        answers: dict[int, Any] = {}
        await self._write_finishes(connection, [entry for entry in entries if isinstance(entry, FinishEntry)], now)
        for index, entry in enumerate(entries):
            if isinstance(entry, ScheduleEntry):
                answers[index] = await self._write_scheduled(connection, entry, now)
        claims = {index: entry for index, entry in enumerate(entries) if isinstance(entry, ClaimEntry)}
        if claims:
            answered = await self._write_claims(connection, list(claims.values()), now)
            answers.update(zip(claims, answered, strict=True))
        return [answers.get(index) for index in range(len(entries))]

    async def _write_scheduled(self, connection: aiosqlite.Connection, entry: ScheduleEntry, now: float) -> bool:
        rows = list(await connection.execute_fetchall(statements.KNOWN, (_json([entry.message.uuid]),)))
        row = rows[0] if rows else None
        match self._decide(entry, row, now):
            case Stopped() as stopped:
                stop = new_row(entry.message, entry.origin, now) | {"error": change(stopped).error}
                await connection.execute(statements.STOP, stop)
                return False
            case Granted(step=Step.RENEW) if row is not None:
                await connection.execute(statements.RETIRE, {"id": row["id"]})
                return await keep_for_later(connection, entry.message, entry.origin, now)
            case Granted(step=Step.INSERT):
                return await keep_for_later(connection, entry.message, entry.origin, now)
            case _:
                return False

    async def _write_finishes(self, connection: aiosqlite.Connection, entries: list[FinishEntry], now: float) -> None:
        finishes, stops, remarks = [], [], []
        for entry in entries:
            step = change(entry.outcome)
            row = {
                "uuid": entry.message.uuid,
                "status": step.status,
                "attempts": step.attempts,
                "in_doubt": step.in_doubt,
                "error": step.error,
                "message_id": step.message_id,
                "finished_at": now if step.final else None,
                "now": now,
            }
            if isinstance(entry.outcome, Stopped):
                stops.append(new_row(entry.message, entry.origin, now) | row)
            else:
                finishes.append(row)
            if step.remark:
                remarks.append(row | {"remark": step.remark})
        await _execute_at_once(connection, statements.FINISH, finishes, now)
        await _execute_many(connection, statements.STOP, stops)
        await _execute_many(connection, statements.REMARK, remarks)

    async def _write_claims(
        self, connection: aiosqlite.Connection, entries: list[ClaimEntry], now: float
    ) -> list[ClaimAnswer]:
        uuids = _json([entry.message.uuid for entry in entries])
        known = {row["uuid"]: row for row in await connection.execute_fetchall(statements.KNOWN, (uuids,))}
        answers: list[ClaimAnswer] = []
        retired, inserted, reclaimed = [], [], []
        deadline = min(asyncio.get_running_loop().time() + LEASE / 2, self._valid_until())
        for entry in entries:
            row = known.get(entry.message.uuid)
            if row is None and self._inheritance.covers(entry.origin):
                doubted = {"in_doubt": True, "claimed_at": self._inheritance.since}
                inserted.append(new_row(entry.message, entry.origin, now) | doubted)
                answers.append(InDoubt("it may have been sent under the ledger that had this consumer before"))
                continue
            decision = self._decide(entry, row, now)
            if not isinstance(decision, Granted):
                answers.append(decision)
                continue
            answers.append(Claim(decision.spent + 1, deadline))
            self._held.add(entry.message.uuid)
            if decision.step is Step.RENEW and row is not None:
                retired.append({"id": row["id"]})
            if decision.step is Step.RECLAIM and row is not None:
                step = {"id": row["id"], "attempts": decision.spent, "replay_of": entry.origin.replay_of, "now": now}
                reclaimed.append(step)
            else:
                claimed = {"in_doubt": False, "claimed_at": now}
                inserted.append(new_row(entry.message, entry.origin, now) | claimed)
        await _execute_many(connection, statements.RETIRE, retired)
        await _execute_at_once(connection, statements.INSERT_CLAIMED, inserted, now)
        await _execute_many(connection, statements.RECLAIM, reclaimed)
        return answers

    def _decide(self, entry: ClaimEntry | ScheduleEntry, row: sqlite3.Row | None, now: float) -> Decision | Stopped:
        known = self._known(row)
        decision = decide(known, entry.origin, self._policy, now, self._events_since)
        # Asked inside the transaction, so that a cancellation's receipt is exact.
        return (isinstance(decision, Granted) and self._stopper(entry.message, entry.origin)) or decision

    def _known(self, row: sqlite3.Row | None) -> Known | None:
        if row is None:
            return None
        return Known(
            Status(row["status"]),
            row["attempts"],
            # Claimed, and not in our hands any more: whoever had it failed before it could say what became of it.
            bool(row["in_doubt"]) or row["uuid"] not in self._held,
            row["claimed_at"] or 0.0,
            row["finished_at"] or 0.0,
            row["replay_of"],
        )


async def _execute_at_once(
    connection: aiosqlite.Connection, statement: str, rows: list[dict[str, object]], now: float
) -> None:
    if rows:
        await connection.execute(statement, {"rows": _json(rows), "now": now})


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


async def _execute_many(connection: aiosqlite.Connection, statement: str, rows: list[dict[str, object]]) -> None:
    if rows:
        await connection.executemany(statement, rows)
