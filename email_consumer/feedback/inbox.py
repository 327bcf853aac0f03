"""The replay-safe way in: each message of SNS is applied once, together with the note that it was."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

import aiosqlite
import orjson
import structlog

from email_consumer.feedback import statements
from email_consumer.feedback.application import Effects, apply_events
from email_consumer.feedback.events import Event
from email_consumer.feedback.unmatched import UnmatchedEvents
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.runtime.tasks import end
from email_consumer.runtime.throttle import Throttle
from email_consumer.sns.certificates import DAY
from email_consumer.sns.refusal import Refusal
from email_consumer.sns.verifier import OLDEST
from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCommit
from email_consumer.suppression.gate import SuppressionGate
from email_consumer.suppression.rows import SuppressionRows

_MEMORY = OLDEST + DAY
"""Seconds a message id is remembered: longer than the oldest message that the verifier lets through."""
_MOST_WAITING = 5_000
_PATIENCE = 8.0
"""Seconds; SNS waits 15 for our answer, and a certificate may have taken 5 of them."""
_HOUSEKEEPING = 5.0
_GIVEN_UP_TOLD_EVERY = 10.0

_log = structlog.get_logger(__name__)


class Reception(Enum):
    """What became of an event."""

    APPLIED = auto()
    DUPLICATE = auto()
    """The same message of SNS was applied before."""
    UNMATCHED = auto()
    """Its mail isn't known (yet); kept for a day."""
    FOREIGN = auto()
    """About mail of another installation on the same account; dropped."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event and the SNS message that brought it."""

    sns_message_id: str
    event: Event


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one arrival; the group's effects hang on the first."""

    reception: Reception
    effects: Effects | None = None


@dataclass(slots=True)
class InboxCounts:
    """Since the start."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Events by kind, duplicates and foreign ones not among them."""
    receptions: Counter[Reception] = field(default_factory=Counter)
    settled: int = 0
    """Mails of which we learned by an event that SES had accepted them."""


class Inbox:
    """Applies events in group commits, and tells others of the effects after the commit."""

    def __init__(
        self,
        database: Database,
        rows: SuppressionRows,
        gate: SuppressionGate,
        *,
        instance: str,
        proven: Callable[[Event], Awaitable[None]],
    ) -> None:
        """`instance` is our tag on every mail.

        `proven` hears of each event, which shows that its mail was sent, before it is written down: if that fails or is
        cut off, SNS brings the event again.
        """
        self._database = database
        self._rows = rows
        self._gate = gate
        self._instance = instance
        self._proven = proven
        self._given_up = Throttle(_GIVEN_UP_TOLD_EVERY)
        self.unmatched = UnmatchedEvents(database, rows, self._tell)
        self._group: GroupCommit[Arrival, Answer] = GroupCommit(database, self._write)
        self._waiting: set[asyncio.Task[Reception]] = set()
        self.counts = InboxCounts()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write groups and keep house until the block ends."""
        async with supervised(Service("inbox", self._group.run), Service("inbox housekeeping", self._keep_house)):
            try:
                yield
            finally:
                await end(*self._waiting)

    async def receive(self, sns_message_id: str, event: Event) -> Reception:
        """Return once the event's effects are on disk.

        Raises:
            Refusal: the database takes no writes at present; SNS should try again.
        """
        if event.instance not in (None, self._instance):
            self.counts.receptions[Reception.FOREIGN] += 1
            return Reception.FOREIGN
        if len(self._waiting) >= _MOST_WAITING:
            raise _storage(f"{_MOST_WAITING} events wait already")
        # A task of its own: what was committed must be told to the gate, also when nobody waits for the answer any more.
        task = asyncio.create_task(self._take_in(Arrival(sns_message_id, event)))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE)
        if not done:
            raise _storage(f"no answer within {_PATIENCE:g} s")
        return task.result()

    async def _take_in(self, arrival: Arrival) -> Reception:
        if arrival.event.proves:
            await self._proven(arrival.event)
        answer = await self._group.submit(arrival)
        if answer.effects:
            self._tell(answer.effects)
        self.counts.receptions[answer.reception] += 1
        if answer.reception is not Reception.DUPLICATE:
            self.counts.kinds[arrival.event.kind if arrival.event.proves else "Unknown"] += 1
        return answer.reception

    def _tell(self, effects: Effects) -> None:
        if effects.changes.suppressed:
            self._gate.suppress(effects.changes.suppressed)
            _log.info("suppression.added", addresses=len(effects.changes.suppressed))
        for address in effects.changes.released:
            self._gate.release(address)
        self.counts.settled += effects.settled
        for uuid, event in effects.given_up:
            unlogged = self._given_up.admit(event.kind)
            if unlogged is not None:
                reason = event.facts[0].detail or event.facts[0].diagnostic if event.facts else ""
                _log.warning("mail.given_up_by_ses", uuid=uuid, kind=event.kind, reason=reason, unlogged=unlogged)

    async def _write(self, connection: aiosqlite.Connection, arrivals: list[Arrival]) -> list[Answer]:
        now = time.time()
        fresh = await _remember(connection, arrivals, now)
        effects = await apply_events(connection, [each.event for each in fresh.values()], self._rows, now)
        if effects.unmatched:
            await self.unmatched.keep(connection, effects.unmatched, now)
        unmatched = {id(event) for event in effects.unmatched}
        answers = []
        for arrival in arrivals:
            if fresh.get(arrival.sns_message_id) is not arrival:
                answers.append(Answer(Reception.DUPLICATE))
            elif id(arrival.event) in unmatched:
                answers.append(Answer(Reception.UNMATCHED))
            else:
                answers.append(Answer(Reception.APPLIED))
        return [Answer(answers[0].reception, effects), *answers[1:]]

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            try:
                while await self.unmatched.sweep():
                    pass
                async with self._database.transaction() as connection:
                    now = time.time()
                    await connection.execute(statements.FORGET_MESSAGES, (now - _MEMORY,))
                    await self.unmatched.expire(connection, now)
            except sqlite3.OperationalError as error:
                _log.warning("inbox.housekeeping_failed", error=str(error), retry_in=_HOUSEKEEPING)


async def _remember(connection: aiosqlite.Connection, arrivals: list[Arrival], now: float) -> dict[str, Arrival]:
    """The arrivals whose message was never applied, each message once."""
    first = {arrival.sns_message_id: arrival for arrival in reversed(arrivals)}
    known = await connection.execute_fetchall(statements.KNOWN_MESSAGES, (orjson.dumps(list(first)).decode(),))
    for row in known:
        del first[row["message_id"]]
    await connection.executemany(statements.REMEMBER_MESSAGE, [(message_id, now) for message_id in first])
    return first


def _storage(reason: str) -> Refusal:
    return Refusal("storage", f"the database takes no writes at present ({reason}); its own log line says why", 503)
