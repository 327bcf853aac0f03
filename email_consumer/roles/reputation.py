"""The reputation breaker in the process that has the store."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from email_consumer.core.account import AccountUnavailableError
from email_consumer.core.mail_group import Tally
from email_consumer.holds.hold_list import HoldList
from email_consumer.reputation.breaker import ReputationBreaker
from email_consumer.reputation.canaries import Canaries
from email_consumer.reputation.refused_tenants import RefusedTenants
from email_consumer.reputation.reputation import Reputation
from email_consumer.reputation.routes import ReputationRoutes
from email_consumer.reputation.rule import Thresholds
from email_consumer.reputation.standing import Ask
from email_consumer.reputation.standing_watch import StandingWatch
from email_consumer.roles.parts import Parts
from email_consumer.roles.workers import Workers
from email_consumer.runtime.supervisor import Service
from email_consumer.store.database import Database


@dataclass(frozen=True, slots=True)
class ReputationOptions:
    thresholds: Thresholds
    canary_mails: int
    """The first mails of a topic, before the rest; 0: all at once."""
    canary_wait: float
    """Seconds for events about them."""
    poll: float
    """Seconds between two times at which SES is asked for paused tenants and recommendations; 0: never."""


@dataclass(frozen=True, slots=True)
class Watched:
    breaker: ReputationBreaker
    routes: list[web.RouteDef]


async def open_reputation(
    parts: Parts,
    options: ReputationOptions,
    database: Database,
    workers: Workers,
    holds: HoldList,
    *,
    ask: Ask | None,
) -> Watched:
    """Start to judge what the workers send. `holds` are loaded; `ask` asks SES, None without credentials."""
    reputation, tally = Reputation(options.thresholds), Tally()
    canaries = Canaries(database, holds, reputation, mails=options.canary_mails, patience=options.canary_wait)
    breaker = ReputationBreaker(database, holds, reputation, canaries, tally)
    await breaker.load()
    workers.metrics.tally = tally
    workers.metrics.refused_tenants = refused = dict[str, str]()
    parts.services.start(
        Service("reputation", breaker.run), Service("refused tenants", RefusedTenants(holds, refused).run)
    )
    watch = StandingWatch(ask or _nobody, holds, reputation, parts.metrics, every=options.poll)
    if ask and options.poll:
        parts.services.start(Service("standing", watch.run))
    return Watched(breaker, ReputationRoutes(reputation, holds, watch).routes())


async def _nobody(_operation: str, **_arguments: object) -> dict[str, Any]:
    raise AccountUnavailableError("there are no credentials", forbidden=False)
