"""Stored mail that waits for holds: counted, and released once they have ended."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.core.ramps import Ramps, today
from email_consumer.core.tenant_limits import TenantLimits
from email_consumer.holds import statements
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.keys import limited_by, ramp_of
from email_consumer.holds.limit_release import PACE, LimitRelease
from email_consumer.holds.ramp_release import RampRelease
from email_consumer.runtime.duty_cycle import rest
from email_consumer.runtime.ticks import until_tick
from email_consumer.store.database import Database

_BATCH = 500
"""Mails per transaction, which takes a few milliseconds."""
_SHARE = 0.2
"""Maximum share of the writer's time."""
_INTERVAL = 1.0
"""Seconds between two looks for mail whose hold is over: with separate roles it may arrive later than that."""

_log = structlog.get_logger(__name__)


class HeldMail:
    """Released mail is due at once. The scheduler publishes it no faster than it is sent, so nothing comes in a burst."""

    def __init__(
        self,
        database: Database,
        holds: HoldList,
        released: Callable[[], None],
        ramp: RampRelease | None = None,
        limits: LimitRelease | None = None,
        *,
        metrics: Metrics | None = None,
    ) -> None:
        """`released` is called after mail became due; without `ramp` or `limits`, no mail waits for such."""
        self._ramp = ramp or RampRelease(database, Ramps({}))
        self._limits = limits or LimitRelease(database, TenantLimits())
        self._database = database
        self._holds = holds
        self._released = released
        self._none_at = -1
        """`Database.writes` when no mail waited for a hold; -1 if some did."""
        self._wake = asyncio.Event()
        self._metrics = metrics or Metrics()
        holds.on_end(lambda _: self._wake.set())

    def stored(self) -> None:
        """Mail was stored; what waits for a tenant's limits may go on at once."""
        if self._limits.limits:
            self._wake.set()

    async def counts(self) -> dict[str, int]:
        """Number of mails in the store by the key of the hold that they wait for."""
        return {row["key"]: row["mails"] for row in await self._database.fetch(statements.COUNTS)}

    async def limited(self) -> dict[str, int]:
        """Number of mails that wait for the limits of each tenant."""
        found: dict[str, int] = {}
        for key, mails in (await self.counts()).items():
            if tenant := limited_by(key):
                found[tenant] = found.get(tenant, 0) + mails
        return found

    async def run(self) -> None:
        """Release mail until cancelled."""
        while True:
            self._wake.clear()
            began = time.monotonic()
            try:
                if await self.release():
                    # At most an interval: `release` pauses where it writes.
                    await rest(max(began, time.monotonic() - _INTERVAL * _SHARE), _SHARE)
            except sqlite3.OperationalError as error:
                _log.warning("hold.not_released", error=str(error), retry_in=_INTERVAL)
            try:
                async with asyncio.timeout(until_tick(PACE if self._paced else _INTERVAL)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    @property
    def _paced(self) -> bool:
        """Whether mail may wait for a rate."""
        return bool(self._metrics.limited_tenants and self._limits.limits.rates)

    async def release(self) -> int:
        """Release all mail whose hold is over, in turns and with pauses; returns the number of mails.

        Raises:
            sqlite3.OperationalError: the file accepts no writes at present; what was released stays released.
        """
        if self._database.writes == self._none_at:
            return 0
        released, by_key = 0, Counter[str]()
        while True:
            turn = await self._take_turns()
            for key in [key for key in by_key if not turn[key]]:
                mails = by_key.pop(key)
                if not limited_by(key):  # which are released all the time
                    _log.info("hold.released", key=key, mails=mails)
            if not turn:
                return released
            released += turn.total()
            by_key.update(turn)

    async def _take_turns(self) -> Counter[str]:
        """Release some mail of each key, so that none waits for all mail of another; how many mails of which keys."""
        writes, released = self._database.writes, Counter[str]()  # before the look, so that nothing is missed
        keys = [row["key"] for row in await self._database.fetch(statements.KEYS)]
        self._none_at = -1 if keys else writes
        self._metrics.limited_tenants = len({tenant for key in keys if (tenant := limited_by(key))})
        for key in keys:
            began = time.monotonic()
            if not self._holds.holds(key) and (mails := await self._release_some(key)):
                released[key] = mails
                self._released()
                await rest(began, _SHARE)
        return released

    async def _release_some(self, key: str) -> int:
        domain, day = ramp_of(key), today()
        if domain and self._ramp.ramps.limit(domain, day) is not None:
            return await self._ramp.release(domain, day)
        if (tenant := limited_by(key)) and self._limits.limits.covers(tenant):
            return await self._limits.release(tenant)
        async with self._database.transaction() as connection:
            values = {"key": key, "limit": _BATCH, "now": time.time()}
            return (await connection.execute(statements.RELEASE, values)).rowcount
