"""The holds in the store: placed, ended, and published to those who send."""

import asyncio
import heapq
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping

import orjson
import structlog

from email_consumer.holds import statements
from email_consumer.holds.hold import URGENT, Hold, Holder
from email_consumer.holds.keys import concerns_transactional
from email_consumer.runtime.ticks import until_tick
from email_consumer.store.database import Database

_INTERVAL = 1.0
"""Seconds between two looks for holds whose time is over."""
_MOST_BYTES = 500_000
"""Of all active keys: every worker reads them as one value from JetStream."""

_log = structlog.get_logger(__name__)


class TooManyHoldsError(Exception):
    """No further hold can be placed until others have ended."""


class HoldList:
    """Changes are durable, and on their way to the workers, when a method returns."""

    def __init__(self, database: Database, publish: Callable[[Mapping[str, bool]], None]) -> None:
        """`publish` gets all active keys after each change; the values: whether transactional mail is held as well."""
        self._database = database
        self._publish = publish
        self._active: dict[int, Hold] = {}
        self._being_placed: dict[object, tuple[str, bool]] = {}
        """Keys, and whether transactional mail is held as well."""
        self._when_ended: list[Callable[[Hold], None]] = []

    def on_end(self, listener: Callable[[Hold], None]) -> None:
        """Call `listener` with each hold that has ended."""
        self._when_ended.append(listener)

    @property
    def active(self) -> list[Hold]:
        """The oldest first."""
        return list(self._active.values())

    def undecided(self, most: int) -> tuple[list[Hold], int]:
        """The first of those that somebody has to decide about, by holder and the latest first; and how many there are."""
        found = [hold for hold in self._active.values() if hold.holder in URGENT]
        return heapq.nsmallest(most, found, lambda hold: (URGENT.index(hold.holder), -hold.id)), len(found)

    def holds(self, key: str) -> bool:
        """Whether anybody holds this key."""
        placed = (being_placed for being_placed, _ in self._being_placed.values())
        return any(hold.key == key for hold in self._active.values()) or key in placed

    async def load(self) -> None:
        """Read and publish what is active; to be called before mail is pulled."""
        rows = await self._database.fetch(statements.ACTIVE)
        self._active = {row["id"]: Hold.of(row) for row in rows}
        self._changed()

    async def place(self, key: str, reason: str, holder: Holder, *, until: float | None = None) -> Hold:
        """Hold mail of a valid key until `until` (Unix seconds), or until it is ended; replaces the holder's own hold.

        Operators and SES mean all mail of an account or a tenant, everybody else means bulk mail.

        Raises:
            TooManyHoldsError: nothing was placed.
            sqlite3.OperationalError: nothing was written.
        """
        if sum(len(hold.key.encode()) for hold in self._active.values()) + len(key.encode()) > _MOST_BYTES:
            raise TooManyHoldsError(f"{len(self._active):,} holds are active; end some of them")
        both_lanes = holder in {Holder.OPERATOR, Holder.SES} and concerns_transactional(key)
        values = {"key": key, "reason": reason, "holder": holder, "until": until, "transactional": both_lanes}
        mark = object()
        self._being_placed[mark] = key, both_lanes
        self._changed()  # already before it is durable: a slow disk must not let more mail pass
        try:
            async with self._database.transaction() as connection:
                (row,) = await connection.execute_fetchall(statements.PLACE, values | {"now": time.time()})
            hold = Hold.of(row)
            self._active[hold.id] = hold
        finally:
            del self._being_placed[mark]
            self._changed()
        _log.warning(
            "hold.placed",
            key=key,
            by=holder,
            reason=reason,
            until=until,
            hint="its mail waits; `email-consumer holds resume KEY` ends it",
        )
        return hold

    async def resume(self, key: str, *, by: str, holder: Holder | None = None) -> list[Hold]:
        """End the holds of a key, or only that of `holder`; returns those that were active.

        `by`: who ends it, for the log and the record.

        Raises:
            sqlite3.OperationalError: nothing was written.
        """
        async with self._database.transaction() as connection:
            values = {"key": key, "by": by, "holder": holder, "now": time.time()}
            rows = list(await connection.execute_fetchall(statements.RESUME, values))
        return self._ended(rows, by)

    async def run(self) -> None:
        """End holds whose time is over, until cancelled."""
        while True:
            await asyncio.sleep(until_tick(_INTERVAL))
            now = time.time()
            if over := [hold.id for hold in self._active.values() if hold.is_over(now)]:
                values = {"now": now, "over": orjson.dumps(over).decode()}
                try:
                    async with self._database.transaction() as connection:
                        rows = list(await connection.execute_fetchall(statements.EXPIRE, values))
                except sqlite3.OperationalError as error:
                    _log.warning("hold.not_ended", error=str(error), retry_in=_INTERVAL)
                else:
                    self._ended(rows, "time")

    def _ended(self, rows: Iterable[sqlite3.Row], by: str) -> list[Hold]:
        ended = [Hold.of(row) for row in rows]
        for hold in ended:
            self._active.pop(hold.id, None)
            _log.info("hold.ended", key=hold.key, holder=hold.holder, by=by, seconds=round(time.time() - hold.since))
        if ended:
            self._changed()
        for hold in ended:
            for listener in self._when_ended:
                listener(hold)
        return ended

    def _changed(self) -> None:
        keys: dict[str, bool] = {}
        active = [(hold.key, hold.transactional) for hold in self._active.values()]
        for key, both_lanes in (*active, *self._being_placed.values()):
            keys[key] = keys.get(key, False) or both_lanes
        self._publish(keys)
