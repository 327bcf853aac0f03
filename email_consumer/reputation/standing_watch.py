"""Asks SES now and then who is paused: the mail of a paused tenant waits before it is tried, and goes on once SES resumes."""

import asyncio
import sqlite3
import time

import structlog

from email_consumer.aws.client import UNREADABLE
from email_consumer.core.account import AccountUnavailableError
from email_consumer.core.metrics import Metrics
from email_consumer.holds.hold import Hold, Holder
from email_consumer.holds.hold_list import HoldList, TooManyHoldsError
from email_consumer.holds.keys import tenant_key, tenant_of
from email_consumer.message.fields import is_tenant
from email_consumer.reputation.reputation import Reputation
from email_consumer.reputation.standing import Ask, Recommendation, Standing, read_standing

_PAUSED = "SES has paused the tenant"
"""The reason of our holds: others that SES's refusals made are not ended here."""
_LASTS = 3_600.0
"""Seconds after which a hold ends if SES can't be asked any more; a refusal then holds the tenant again."""
_MOST_LOGGED = 20
"""Recommendations that are logged at a time."""

_log = structlog.get_logger(__name__)


class StandingWatch:
    """One for all workers, in the process that has the store. It holds tenants that we send for, no others."""

    def __init__(self, ask: Ask, holds: HoldList, reputation: Reputation, metrics: Metrics, *, every: float) -> None:
        """`every`: seconds between two times at which SES is asked."""
        self._ask = ask
        self._holds = holds
        self._reputation = reputation
        self._metrics = metrics
        self._every = every
        self._unknown = ""
        self.standing = Standing()
        self.read_at: float | None = None
        """When SES was last asked with success (Unix seconds)."""

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.update()
            except (sqlite3.OperationalError, TooManyHoldsError) as error:
                _log.warning("tenant.not_held", error=str(error), retry_in=self._every)

    async def update(self) -> None:
        """Ask once, and act on the answer; without one, what is held stays held.

        Raises:
            sqlite3.OperationalError, TooManyHoldsError: not all holds are placed or ended; call it again.
        """
        try:
            standing = await read_standing(self._ask)
        except (AccountUnavailableError, *UNREADABLE) as error:
            if str(error) != self._unknown:
                hint = "allow ses:ListReputationEntities and ses:ListRecommendations, or set REPUTATION_POLL=0"
                _log.warning("ses.standing_unknown", error=str(error), hint=hint)
            self._unknown = str(error)
            return
        self._unknown = ""
        former, self.standing, self.read_at = self.standing, standing, time.time()
        self._metrics.tenants_paused, self._metrics.tenants_at_risk = len(standing.paused), len(standing.at_risk)
        self._metrics.recommendations = standing.by_kind
        _log_new(former.recommendations, standing.recommendations)
        for tenant in sorted(standing.at_risk - former.at_risk)[:_MOST_LOGGED]:
            _log.warning("tenant.at_risk", tenant=tenant, hint="SES may pause it; see whom its mail goes to")
        await self._hold(standing)
        await self._resume(standing)

    async def _hold(self, standing: Standing) -> None:
        held = {hold.key: hold for hold in self._holds.active if hold.holder is Holder.SES}
        now = time.time()
        for tenant in sorted(filter(is_tenant, standing.paused)):
            key = tenant_key(tenant)
            hold = held.get(key)
            known = hold is not None or key in self._reputation.counts
            if known and not (hold and _is_ours(hold) and hold.until and hold.until - now > _LASTS / 2):
                await self._holds.place(key, _PAUSED, Holder.SES, until=now + _LASTS)

    async def _resume(self, standing: Standing) -> None:
        if not standing.whole:
            return
        for hold in self._holds.active:
            if _is_ours(hold) and tenant_of(hold.key) not in standing.paused:
                await self._holds.resume(hold.key, by=Holder.SES, holder=Holder.SES)


def _is_ours(hold: Hold) -> bool:
    return hold.holder is Holder.SES and hold.reason == _PAUSED


def _log_new(former: tuple[Recommendation, ...], found: tuple[Recommendation, ...]) -> None:
    known = set(former)
    new = sorted((each for each in found if each not in known), key=lambda each: each.impact != "HIGH")
    for each in new[:_MOST_LOGGED]:
        _log.warning(
            "ses.recommends",
            type=each.type,
            resource=each.resource,
            impact=each.impact,
            description=each.description,
            unlogged=max(0, len(new) - _MOST_LOGGED),
        )
