"""The reputation breaker: counts what is sent and reported, and holds what goes too far."""

import asyncio
import sqlite3
import time

import structlog

from email_consumer.core.mail_group import MailReport, Tally, groups
from email_consumer.core.tenant_sums import TenantSums
from email_consumer.holds.hold import Hold, Holder
from email_consumer.holds.hold_list import HoldList, TooManyHoldsError
from email_consumer.reputation.canaries import Canaries
from email_consumer.reputation.reputation import Reputation
from email_consumer.reputation.rule import Finding, Level
from email_consumer.reputation.saved_counts import load_counts, save_counts
from email_consumer.runtime.throttle import Throttle
from email_consumer.runtime.ticks import until_tick
from email_consumer.store.database import Database

_INTERVAL = 0.1
"""Seconds between two looks at what was sent and reported."""
_IDLE_INTERVAL = 0.5
"""The same after a look that found nothing."""
_SAVE_EVERY = 5.0
_WARN_EVERY = 3_600.0

_log = structlog.get_logger(__name__)


class ReputationBreaker:
    """One for all workers, in the process that has the store."""

    def __init__(
        self, database: Database, holds: HoldList, reputation: Reputation, canaries: Canaries, tally: Tally
    ) -> None:
        """`tally`: what was sent and is not counted yet."""
        self._database = database
        self._holds = holds
        self._reputation = reputation
        self._canaries = canaries
        self._tally = tally
        self.tenants = TenantSums()
        """What is counted here, by tenant."""
        self._reports: list[MailReport] = []
        self._busy = False
        self._unplaced: dict[str, Finding] = {}
        self._warned = Throttle(_WARN_EVERY)
        self._saved_at = time.monotonic()
        holds.on_end(self._end)

    async def load(self) -> None:
        """Continue with what an earlier process counted; after `HoldList.load`."""
        await load_counts(self._database, self._reputation)
        await self._canaries.load()
        for hold in self._holds.active:
            if hold.holder is Holder.BREAKER:
                self._reputation.stop(hold.key)

    def report(self, report: MailReport) -> None:
        """What an event said of a mail."""
        self._reports.append(report)

    async def run(self) -> None:
        """Count and judge until cancelled."""
        while True:
            await asyncio.sleep(until_tick(_INTERVAL if self._busy else _IDLE_INTERVAL))
            try:
                await self.update()
            except sqlite3.OperationalError as error:
                _log.warning("reputation.not_stored", error=str(error), retry_in=_INTERVAL)

    async def update(self) -> None:
        """Count what came since the last time, and act on it.

        Raises:
            sqlite3.OperationalError: not all of it; what is left is done the next time.
        """
        now = time.time()
        sent = groups(self._tally)
        self._tally.clear()
        for group, mails in sent:
            self._reputation.sent(group, now, mails)
            self.tenants.add_sent(group.tenant, mails)
        reports, self._reports = self._reports, []
        self._busy = bool(sent or reports)
        for report in reports:
            self._reputation.report(report)
            self._canaries.report(report)
            self.tenants.add_report(report.group.tenant, bounced=report.bounced, complained=report.complained)
        for key, finding in self._reputation.check(now):
            if finding.level is Level.STOP:
                self._unplaced[key] = finding
            else:
                self._warn(key, finding)
        await self._place()
        await self._canaries.update(sent)  # after the breaker's holds, so that nothing goes on in between
        if time.monotonic() - self._saved_at >= _SAVE_EVERY and self._reputation.changed:
            self._saved_at = time.monotonic()
            await save_counts(self._database, self._reputation)

    async def _place(self) -> None:
        await asyncio.gather(*(self._place_one(key, finding) for key, finding in self._unplaced.items()))

    async def _place_one(self, key: str, finding: Finding) -> None:
        try:
            await self._holds.place(key, str(finding), Holder.BREAKER)
        except TooManyHoldsError as error:
            _log.error("reputation.not_held", key=key, reason=str(finding), error=str(error))
        self._unplaced.pop(key, None)

    def _warn(self, key: str, finding: Finding) -> None:
        if self._warned.admit(key) is not None:
            _log.warning(
                "reputation.warning",
                key=key,
                reason=str(finding),
                hint="SES reviews accounts for this; find out where these addresses come from",
            )

    def _end(self, hold: Hold) -> None:
        if hold.holder is Holder.BREAKER:
            self._reputation.resume(hold.key, time.time())
