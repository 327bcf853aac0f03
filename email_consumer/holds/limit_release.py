"""Lets mail of tenants with limits go on: as much as their rate and their day allow, counted in the store.

As with ramps, the count and the release are one transaction, in the only process that has the store, so the limits hold
whatever is restarted and however many workers there are.
"""

import sqlite3
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import aiosqlite
import structlog

from email_consumer.core.ramps import today
from email_consumer.core.tenant_limits import TenantLimits
from email_consumer.holds import limit_statements as statements
from email_consumer.holds.active_holds import ActiveHolds
from email_consumer.holds.keys import limit_key
from email_consumer.holds.ramp_statements import WAITING
from email_consumer.message.fields import MAX_RECIPIENTS
from email_consumer.message.lane import Lane
from email_consumer.runtime.throttle import Throttle
from email_consumer.store.database import Database

PACE = 0.2
"""Seconds between two releases of mail that waits for a rate; what they leave unused is not made up for later."""
_BATCH = 500
"""Mails per transaction."""
_LOG_EVERY = 60.0

_log = structlog.get_logger(__name__)


class Used(NamedTuple):
    """What a tenant has used of its limits."""

    recipients: int = 0
    """Today."""
    free_at: float = 0.0
    """When its rate allows the next mail (Unix seconds)."""


@dataclass
class _Chosen:
    """Mail that no longer waits for its tenant's limits."""

    used: Used
    """The limits, with that mail."""
    mails: list[int] = field(default_factory=list)
    """Row ids of what goes on."""
    held: list[dict[str, object]] = field(default_factory=list)
    """What waits for a hold from now on."""


class LimitRelease:
    def __init__(self, database: Database, limits: TenantLimits, holds: ActiveHolds | None = None) -> None:
        """`holds`: mail that they cover is left to wait for them, and not counted."""
        self._database = database
        self.limits = limits
        self._holds = ActiveHolds() if holds is None else holds  # false while nothing is held
        self._logged = Throttle(_LOG_EVERY)

    async def used(self, tenant: str) -> Used:
        """As of now."""
        return _used(await self._database.fetch(statements.USED, (tenant, today().isoformat())))

    async def tenants(self, limit: int) -> list[str]:
        """Those that used most today."""
        rows = await self._database.fetch(statements.TENANTS, {"day": today().isoformat(), "limit": limit})
        return [row["tenant"] for row in rows]

    async def release(self, tenant: str) -> int:
        """Release what the tenant's limits allow now, transactional mail first, up to some hundred mails.

        Returns how many mails no longer wait for the limits; those that a hold covers wait for that.

        Raises:
            sqlite3.OperationalError: nothing was released.
        """
        if self._spent(tenant, await self.used(tenant)):
            return 0
        async with self._database.transaction() as connection:
            used = _used(list(await connection.execute_fetchall(statements.USED, (tenant, today().isoformat()))))
            chosen = _Chosen(used)
            for lane in (Lane.TRANSACTIONAL, Lane.BULK):
                if not await self._choose(connection, tenant, lane, chosen):
                    break
            await connection.executemany(statements.HOLD, chosen.held)
            if chosen.mails:
                values = {"tenant": tenant, "day": today().isoformat(), "now": time.time()}
                await connection.executemany(statements.RELEASE, [values | {"id": mail} for mail in chosen.mails])
                await connection.execute(statements.COUNT, values | chosen.used._asdict())
        return len(chosen.mails) + len(chosen.held)

    async def _choose(self, connection: aiosqlite.Connection, tenant: str, lane: Lane, chosen: _Chosen) -> bool:
        """Add mail of a lane; False if something has to wait."""
        rate = self.limits.rate(tenant)
        values = {"key": limit_key(tenant, lane), "limit": _BATCH - len(chosen.mails)}
        for row in await connection.execute_fetchall(WAITING, values):
            if key := self._holds.covering_mail(row["topic_id"], tenant, bulk=lane is Lane.BULK):
                chosen.held.append({"id": row["id"], "key": key, "now": time.time()})
                continue
            used, recipients = chosen.used, row["recipients"]
            if self._spent(tenant, used, recipients):
                return False
            chosen.mails.append(row["id"])
            free_at = max(used.free_at, time.time() - PACE) + recipients / rate if rate else 0.0
            chosen.used = Used(used.recipients + recipients, free_at)
        return len(chosen.mails) < _BATCH

    def _spent(self, tenant: str, used: Used, recipients: int = 1) -> bool:
        """Whether a mail to this number of recipients has to wait."""
        day, rate, now = self.limits.day(tenant), self.limits.rate(tenant), time.time()
        if day is not None and used.recipients + recipients > day:
            self._log(tenant, "day")
            return True
        # Further away than the largest mail takes: the clock was put back.
        if rate is not None and now < used.free_at <= now + PACE + MAX_RECIPIENTS / rate:
            self._log(tenant, "rate")
            return True
        return False

    def _log(self, tenant: str, limit: str) -> None:
        if (unlogged := self._logged.admit(limit)) is not None:
            _log.info("tenant.limited", tenant=tenant, limit=limit, unlogged=unlogged)


def _used(rows: list[sqlite3.Row]) -> Used:
    return Used(rows[0]["recipients"], rows[0]["free_at"]) if rows else Used()
