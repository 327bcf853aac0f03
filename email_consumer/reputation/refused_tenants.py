"""Tenants for which SES does not send: their mail waits in the store, and a few mails now and then find out whether that is over."""

import asyncio
import sqlite3
import time

import structlog

from email_consumer.holds.hold import Holder
from email_consumer.holds.hold_list import HoldList, TooManyHoldsError
from email_consumer.holds.keys import tenant_key
from email_consumer.runtime.backoff import backoff
from email_consumer.runtime.ticks import until_tick

_INTERVAL = 1.0
"""Seconds between two looks at what was refused."""
_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 1_800.0
_LONGEST_REASON = 500

_log = structlog.get_logger(__name__)


class RefusedTenants:
    """Without a hold each mail of the tenant would be tried again and again, and keep its place at the consumer."""

    def __init__(self, holds: HoldList, refused: dict[str, str]) -> None:
        """`refused`: tenants and SES's words. Those who learn of one add it, and here they are taken out."""
        self._holds = holds
        self._refused = refused
        self._refusals: dict[str, tuple[int, float]] = {}
        """By tenant: how often in a row it was held, and until when (Unix seconds)."""

    async def run(self) -> None:
        """Place holds until cancelled."""
        while True:
            await asyncio.sleep(until_tick(_INTERVAL))
            try:
                await self.update()
            except (sqlite3.OperationalError, TooManyHoldsError) as error:
                _log.warning("tenant.not_held", error=str(error), retry_in=_INTERVAL)

    async def update(self) -> None:
        """Hold what was refused since the last time.

        Raises:
            sqlite3.OperationalError, TooManyHoldsError: not all of it; the rest is refused again.
        """
        refused = dict(self._refused)
        self._refused.clear()
        for tenant, reason in refused.items():
            key = tenant_key(tenant)
            if any(hold.key == key and hold.holder is Holder.SES for hold in self._holds.active):
                continue  # of mail that was on its way
            now = time.time()
            times, until = self._refusals.get(tenant, (0, now))
            times = times + 1 if now < until + _LONGEST_PAUSE else 1
            until = now + backoff(_FIRST_PAUSE, times, _LONGEST_PAUSE)
            self._refusals[tenant] = times, until
            await self._holds.place(key, reason[:_LONGEST_REASON], Holder.SES, until=until)
