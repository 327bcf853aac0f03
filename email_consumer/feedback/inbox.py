"""Applies each SNS message exactly once: its effects and its id are written in one transaction."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from operator import attrgetter

import aiosqlite
import orjson
import structlog

from email_consumer.core.mail_group import MailReport
from email_consumer.feedback import statements
from email_consumer.feedback.application import Effects, apply_events
from email_consumer.feedback.events import Event
from email_consumer.feedback.unmatched import UnmatchedEvents
from email_consumer.runtime.duty_cycle import rest
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.runtime.tasks import end
from email_consumer.runtime.throttle import Throttle
from email_consumer.runtime.ticks import until_tick
from email_consumer.sns.certificates import DAY
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.sns.verifier import OLDEST
from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCommit
from email_consumer.store.sweeps import SHARE
from email_consumer.suppression.rows import SuppressionRows
from email_consumer.suppression.suppression import SuppressionGate

_MEMORY = OLDEST + DAY
"""Seconds for which a message id is remembered: longer than the oldest message that the verifier accepts."""
_MAX_WAITING = 5_000
_TIMEOUT = 8.0
"""Seconds; SNS waits 15 for our response, and a certificate may have taken 5 of them."""
_HOUSEKEEPING_INTERVAL = 5.0
_DROPPED_LOG_INTERVAL = 10.0

_log = structlog.get_logger(__name__)


class Reception(Enum):
    """What happened to an event."""

    APPLIED = auto()
    DUPLICATE = auto()
    """The SNS message was applied before."""
    UNMATCHED = auto()
    """Its mail is not known (yet); kept for a day."""
    FOREIGN = auto()
    """About mail of another installation on the same account; ignored."""


async def _none(_tag: str | None, _message_id: str) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event and the SNS message that brought it."""

    sns_message_id: str
    event: Event
    life: int = 0
    """See `Inbox`."""


@dataclass(frozen=True, slots=True)
class ArrivalResult:
    """Of one arrival; the first of a group carries the effects of the group."""

    reception: Reception
    effects: Effects | None = None


@dataclass(slots=True)
class InboxCounts:
    """Since the start."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Events by kind, without duplicates and foreign events."""
    receptions: Counter[Reception] = field(default_factory=Counter)
    settled: int = 0
    """Mails whose acceptance by SES was learned from an event."""


class Inbox:
    """Applies events in group commits, and publishes the effects after the commit."""

    def __init__(
        self,
        database: Database,
        rows: SuppressionRows,
        gate: SuppressionGate,
        *,
        instance: str,
        proven: Callable[[Event], Awaitable[None]],
        missed: Callable[[], None] = lambda: None,
        life: Callable[[str | None, str], Awaitable[int]] = _none,
        reported: Callable[[MailReport], None] = lambda _: None,
    ) -> None:
        """Create an inbox that is used while its `running` block lasts.

        Args:
            database: whose tables the events are applied to.
            rows: of the suppression list.
            gate: is changed along with the suppression list.
            instance: our tag on every mail.
            proven: called with each event that proves acceptance before the event is written: if that fails or is
                interrupted, SNS delivers the event again.
            missed: called when an event could not be taken, and SNS has to deliver it again.
            life: the revision since which a tag belongs to its present mail, asked with SES's id of a mail; 0 if the tables
                show that mail.
            reported: called with what became of each mail, once that is on disk.
        """
        self._database = database
        self._rows = rows
        self._gate = gate
        self._instance = instance
        self._proven = proven
        self._missed = missed
        self._life = life
        self._reported = reported
        self._dropped = Throttle(_DROPPED_LOG_INTERVAL)
        self.unmatched = UnmatchedEvents(database, rows, self._publish, life=life)
        self._group: GroupCommit[Arrival, ArrivalResult] = GroupCommit(database, self._write)
        self._waiting: set[asyncio.Task[Reception]] = set()
        self.counts = InboxCounts()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write groups and clean up regularly until the block ends."""
        async with supervised(Service("inbox", self._group.run), Service("inbox housekeeping", self._clean_up)):
            try:
                yield
            finally:
                await end(*self._waiting)

    async def receive(self, sns_message_id: str, event: Event) -> Reception:
        """Return once the event's effects are on disk.

        Raises:
            MessageRefusedError: the database accepts no writes at present; SNS should try again.
        """
        if event.instance not in (None, self._instance):
            self.counts.receptions[Reception.FOREIGN] += 1
            return Reception.FOREIGN
        if len(self._waiting) >= _MAX_WAITING:
            raise self._refusal(f"{_MAX_WAITING} events are waiting")
        # A separate task: committed changes must reach the gate even if the request is gone.
        task = asyncio.create_task(self._process(Arrival(sns_message_id, event)))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        done, _ = await asyncio.wait({task}, timeout=_TIMEOUT)
        if not done:
            raise self._refusal(f"no response within {_TIMEOUT:g} s")
        return task.result()

    def _refusal(self, reason: str) -> MessageRefusedError:
        """Of an event that SNS has to deliver again."""
        self._missed()
        text = f"the database accepts no writes at present ({reason}); see its log line"
        return MessageRefusedError("storage", text, 503)

    async def _process(self, arrival: Arrival) -> Reception:
        if arrival.event.proves_acceptance:
            await self._proven(arrival.event)
            life = await self._life(arrival.event.tag, arrival.event.message_id)
            arrival = replace(arrival, life=life)
        answer = await self._group.submit(arrival)
        if answer.effects:
            self._publish(answer.effects)
        self.counts.receptions[answer.reception] += 1
        if answer.reception is not Reception.DUPLICATE:
            self.counts.kinds[arrival.event.kind if arrival.event.proves_acceptance else "Unknown"] += 1
        return answer.reception

    def _publish(self, effects: Effects) -> None:
        if effects.changes.suppressed:
            self._gate.suppress(effects.changes.suppressed)
            _log.info("suppression.added", addresses=len(effects.changes.suppressed))
        for address in effects.changes.released:
            self._gate.release(address)
        self.counts.settled += effects.settled
        for report in effects.reports:
            self._reported(report)
        for uuid, event in effects.dropped:
            unlogged = self._dropped.admit(event.kind)
            if unlogged is not None:
                reason = event.recipients[0].detail or event.recipients[0].diagnostic if event.recipients else ""
                _log.warning("mail.dropped_by_ses", uuid=uuid, kind=event.kind, reason=reason, unlogged=unlogged)

    async def _write(self, connection: aiosqlite.Connection, arrivals: list[Arrival]) -> list[ArrivalResult]:
        now = time.time()
        fresh = await _remember(connection, arrivals, now)
        lives = {each.event.tag: each.life for each in sorted(fresh.values(), key=attrgetter("life")) if each.life}
        effects = await apply_events(connection, [each.event for each in fresh.values()], self._rows, now, lives)
        if effects.unmatched:
            await self.unmatched.keep(connection, effects.unmatched, now)
        unmatched = {id(event) for event in effects.unmatched}
        answers = []
        for arrival in arrivals:
            if fresh.get(arrival.sns_message_id) is not arrival:
                answers.append(ArrivalResult(Reception.DUPLICATE))
            elif id(arrival.event) in unmatched:
                answers.append(ArrivalResult(Reception.UNMATCHED))
            else:
                answers.append(ArrivalResult(Reception.APPLIED))
        return [ArrivalResult(answers[0].reception, effects), *answers[1:]]

    async def _clean_up(self) -> None:
        more = False
        while True:
            if not more:
                await asyncio.sleep(until_tick(_HOUSEKEEPING_INTERVAL))
            try:
                while await self.unmatched.sweep():
                    pass
                more = await self._forget(time.time())
            except sqlite3.OperationalError as error:
                more = False
                _log.warning("inbox.housekeeping_failed", error=str(error), retry_in=_HOUSEKEEPING_INTERVAL)

    async def _forget(self, now: float) -> bool:
        """Forget the oldest messages, and rest if there may be more; returns whether."""
        began = time.monotonic()
        async with self._database.transaction() as connection:
            forgotten = await connection.execute(statements.FORGET_MESSAGES, {"now": now, "memory": _MEMORY})
            await self.unmatched.expire(connection, now)
        more = forgotten.rowcount == statements.FORGETS
        if more:
            await rest(began, SHARE)
        return more


async def _remember(connection: aiosqlite.Connection, arrivals: list[Arrival], now: float) -> dict[str, Arrival]:
    """The arrivals whose message was never applied, one per message."""
    first = {arrival.sns_message_id: arrival for arrival in reversed(arrivals)}
    known = await connection.execute_fetchall(statements.KNOWN_MESSAGES, (orjson.dumps(list(first)).decode(),))
    for row in known:
        del first[row["message_id"]]
    await connection.executemany(statements.REMEMBER_MESSAGE, [(message_id, now) for message_id in first])
    return first
