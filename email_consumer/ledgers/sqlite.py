"""The ledger in SQLite, for a single process: group commits for claims and outcomes, and a cache in memory.

Only one process can have the database open, so a claimed row that is not in doubt was claimed by *this* process.
"""

import math
import sqlite3
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiosqlite
import structlog

from email_consumer.core.ledger import Claim, ClaimAnswer, LedgerBlockedError, NotKeptError, Origin, ScheduleAnswer
from email_consumer.core.outcome import Busy, Conflict, Duplicate, InDoubt, Outcome, Scheduled, Sent, Stopped
from email_consumer.ledgers import statements
from email_consumer.ledgers.granted_rows import GrantedRows
from email_consumer.ledgers.row_changes import ClaimRequest, FinishRequest, ScheduleRequest, dead_letter_pending
from email_consumer.ledgers.rows import as_json, keep_for_later, trace_rows
from email_consumer.ledgers.rule import (
    LEASE,
    MAYBE_SENT_BEFORE,
    NO_TAKEOVER,
    PATIENCE,
    Decision,
    Granted,
    Known,
    Policy,
    Stopper,
    Takeover,
    decide,
    duplicate_or_conflict,
    unless_stopped,
)
from email_consumer.ledgers.write_outcomes import write_outcomes
from email_consumer.message.fingerprint import Fingerprint
from email_consumer.message.model import EmailMessage
from email_consumer.runtime.clock import elapsed, suspended
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCall, GroupCommit, StoreBlockedError
from email_consumer.store.status import Status

_CACHED_UUIDS = 10_000
"""About 4 MB. An older duplicate costs one lookup in the database."""

_ASLEEP = 5.0
"""Seconds; SNS waits 15 s for a response, so a shorter suspension of the machine loses no event."""

_log = structlog.get_logger(__name__)

Write = Callable[[sqlite3.Connection], list[ClaimAnswer | None]]


class SqliteLedger:
    """See `email_consumer.core.ledger.Ledger`."""

    def __init__(
        self,
        database: Database,
        stopper: Stopper,
        policy: Policy,
        *,
        takeover: Takeover | None = None,
        valid_until: Callable[[], float] = lambda: math.inf,
        keep_subjects: bool = True,
        interval: float = 0.01,
        patience: float = PATIENCE,
    ) -> None:
        """Create a ledger that is used while its `running` block lasts.

        Args:
            database: open.
            stopper: whether cancellations or the suppression list stop a mail.
            policy: of the claim rule.
            takeover: mail that a previous ledger may have sent.
            valid_until: time by `elapsed` until which nobody else sends; no claim extends beyond it.
            keep_subjects: whether rows contain the mails' subjects.
            interval: minimum seconds between the starts of two groups, during which requests gather.
            patience: seconds a claim waits while the database accepts no writes.
        """
        self._takeover = takeover or NO_TAKEOVER
        self._valid_until = valid_until
        self._database = database
        self._stopper = stopper
        self._policy = policy
        self._patience = patience
        self._keep_subjects = keep_subjects
        self._finished: OrderedDict[str, tuple[float, Fingerprint]] = OrderedDict()
        """By uuid: expiry (monotonic clock) and fingerprint. A cache of cachetools would cost 1.4 to 3.6 µs more per mail."""
        self._group: GroupCall[ClaimRequest | FinishRequest, ClaimAnswer | None] = GroupCall(
            database, self._prepare, interval=interval
        )
        self._keeping: GroupCommit[ScheduleRequest, ScheduleAnswer] = GroupCommit(database, self._keep)
        self._held: set[str] = set()
        """Our claims between `claim` and `finish`; added to by the writer thread, discarded from by the event loop's thread."""
        self._events_from = elapsed()
        """Not by the wall clock, which may be put back: all mail in doubt would wait for it."""
        self._suspended = suspended()
        self.when_scheduled: Callable[[], None] = lambda: None
        """Called after scheduled mail was stored."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Mark claims of a dead process as in doubt, then write groups until the block ends."""
        async with self._database.transaction() as connection:
            orphans = (await connection.execute(statements.DOUBT_ORPHANS)).rowcount
        if orphans:
            _log.warning("ledger.in_doubt", mails=orphans, hint="the process before this one ended while sending them")
        async with supervised(Service("ledger", self._group.run), Service("keeping", self._keeping.run)):
            yield

    def events_expected_from(self, moment: float) -> None:
        """Events from SES reach us since `moment` (Unix seconds): no grace period begins earlier."""
        self._events_from, self._suspended = elapsed() - (time.time() - moment), suspended()

    def known(self, message: EmailMessage) -> Duplicate | Conflict | None:
        finished = self._finished.get(message.uuid)
        if finished is None:
            return None
        until, fingerprint = finished
        return duplicate_or_conflict(fingerprint, message.fingerprint) if until > time.monotonic() else None

    async def claim(self, message: EmailMessage, origin: Origin) -> ClaimAnswer:
        try:
            answer = await self._group.submit(ClaimRequest(message, origin), self._patience)
        except StoreBlockedError as error:
            raise LedgerBlockedError(str(error)) from None
        assert answer is not None  # noqa: S101 - each claim gets one
        return answer

    async def finish(self, message: EmailMessage, outcome: Outcome, origin: Origin) -> None:
        try:
            await self._group.submit(FinishRequest(message, origin, outcome))
        finally:
            self._held.discard(message.uuid)
        if isinstance(outcome, Sent):
            self._remember(message)

    async def schedule(self, message: EmailMessage, origin: Origin, held_by: str | None = None) -> ScheduleAnswer:
        try:
            answer = await self._keeping.submit(ScheduleRequest(message, origin, held_by), self._patience)
        except StoreBlockedError as error:
            raise NotKeptError(str(error)) from None
        if isinstance(answer, Scheduled):
            self.when_scheduled()
        return answer

    def _remember(self, message: EmailMessage) -> None:
        self._finished[message.uuid] = time.monotonic() + self._policy.idempotency_ttl, message.fingerprint
        if len(self._finished) > _CACHED_UUIDS:
            self._finished.popitem(last=False)

    def _prepare(self, entries: list[ClaimRequest | FinishRequest]) -> Write:
        if suspended() - self._suspended > _ASLEEP:
            self.events_expected_from(time.time())  # events that SES sent meanwhile come again, but only after a while
        finishes = [entry for entry in entries if isinstance(entry, FinishRequest)]
        # The stopper is called right before the write, so that the counts of a cancellation are exact, and on the event
        # loop, which alone changes its state.
        claims = [
            (entry, self._stopper(entry.message, entry.origin)) for entry in entries if isinstance(entry, ClaimRequest)
        ]
        deadline = min(elapsed() + LEASE / 2, self._valid_until())

        def write(connection: sqlite3.Connection) -> list[ClaimAnswer | None]:
            now = time.time()
            write_outcomes(connection, finishes, now, keep_subjects=self._keep_subjects)
            answers = iter(self._write_claims(connection, claims, deadline, now) if claims else ())
            return [next(answers) if isinstance(entry, ClaimRequest) else None for entry in entries]

        return write

    def _write_claims(
        self,
        connection: sqlite3.Connection,
        claims: list[tuple[ClaimRequest, Stopped | None]],
        deadline: float,
        now: float,
    ) -> list[ClaimAnswer]:
        uuids = as_json([entry.message.uuid for entry, _ in claims])
        known = {row["uuid"]: row for row in connection.execute(statements.KNOWN, (uuids,))}
        answers: list[ClaimAnswer] = []
        granted = self._granted_rows(now)
        for entry, stopped in claims:
            row = known.get(entry.message.uuid)
            decision = self._decide(entry, stopped, row, now, self._takeover)
            if not isinstance(decision, Granted):
                answers.append(decision)
                continue
            granted.add(entry, row, decision)
            if decision.doubtful:
                answers.append(MAYBE_SENT_BEFORE)
            else:
                answers.append(Claim(decision.spent + 1, deadline))
                self._held.add(entry.message.uuid)
        granted.write(connection)
        taken = (
            entry
            for (entry, _), answer in zip(claims, answers, strict=True)
            if entry.origin.traceparent and isinstance(answer, (Claim, InDoubt))
        )
        connection.executemany(statements.TRACE, trace_rows(taken))
        return answers

    def _granted_rows(self, now: float) -> GrantedRows:
        return GrantedRows(now, self._takeover.since, keep_subjects=self._keep_subjects)

    async def _keep(self, connection: aiosqlite.Connection, entries: list[ScheduleRequest]) -> list[ScheduleAnswer]:
        now = time.time()
        return [await self._keep_one(connection, entry, now) for entry in entries]

    async def _keep_one(self, connection: aiosqlite.Connection, entry: ScheduleRequest, now: float) -> ScheduleAnswer:
        rows = list(await connection.execute_fetchall(statements.KNOWN, (as_json([entry.message.uuid]),)))
        row = rows[0] if rows else None
        takeover = self._takeover if entry.held_by else NO_TAKEOVER  # mail that is due later was not sent before
        decision = self._decide(entry, self._stopper(entry.message, entry.origin), row, now, takeover)
        if not isinstance(decision, Granted):
            return decision
        if decision.doubtful:
            granted = self._granted_rows(now)
            granted.add(ClaimRequest(entry.message, entry.origin), row, decision)
            await granted.write_by(connection)
            return MAYBE_SENT_BEFORE
        if row is not None and row["status"] >= Status.SENT:
            await connection.execute(statements.RETIRE, {"id": row["id"]})
        elif row is not None and not entry.held_by:
            # Already stored, or due by an earlier clock and waiting for a retry: then its source has the only copy.
            return Busy() if row["content_id"] is None else Duplicate()
        await keep_for_later(
            connection, entry.message, entry.origin, now, keep_subject=self._keep_subjects, held_by=entry.held_by
        )
        return Scheduled()

    def _decide(
        self,
        entry: ClaimRequest | ScheduleRequest,
        stopped: Stopped | None,
        row: sqlite3.Row | None,
        now: float,
        takeover: Takeover,
    ) -> Decision | Stopped:
        decision = decide(
            self._known(row),
            entry.message,
            entry.origin,
            self._policy,
            now=now,
            events_since=now - (elapsed() - self._events_from),
            takeover=takeover,
        )
        return unless_stopped(decision, stopped)

    def _known(self, row: sqlite3.Row | None) -> Known | None:
        if row is None:
            return None
        return Known(
            Status(row["status"]),
            row["attempts"],
            # Claimed but no longer held: its task failed before it could record an outcome.
            bool(row["in_doubt"]) or row["uuid"] not in self._held,
            row["claimed_at"] or 0.0,
            row["finished_at"] or 0.0,
            row["replay_of"],
            row["recipients_hash"],
            row["content_hash"],
            bool(row["suppressed"]),
            dead_letter_pending(Status(row["status"]), row["error"], row["attempts"]),
        )
