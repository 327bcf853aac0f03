"""The reputation for operators: what was sent in the last day, and how much of it bounced or was complained of."""

from dataclasses import asdict

from aiohttp import web

from email_consumer.holds.hold_list import HoldList
from email_consumer.reputation.reputation import Reputation
from email_consumer.reputation.standing_watch import StandingWatch
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, answer, operation
from email_consumer.web.times import Moment

_MOST = 1_000
_MOST_ADVICE = 100


class KeyReputation(ApiModel):
    key: str
    """As of holds."""
    sent: int
    bounced: int
    """Hard bounces."""
    complained: int
    bounce_rate: float
    """As a share of the mails sent; late events are still to come."""
    complaint_rate: float
    held: bool


class Advice(ApiModel):
    """What SES's advisor recommends, in its words."""

    type: str
    """Such as DKIM, BOUNCE or IP_LISTING."""
    resource: str
    """Such as `identity/example.com`."""
    impact: str
    """LOW, HIGH or empty."""
    description: str


class SesStanding(ApiModel):
    """As of the last time SES was asked (REPUTATION_POLL)."""

    read_at: Moment | None
    """null if it was not asked yet, or did not answer."""
    paused: list[str]
    """Tenants for which SES does not send; the first 1,000."""
    at_risk: list[str]
    """Tenants that SES may pause; the first 1,000."""
    recommendations: list[Advice]
    """Those that are open, with a high impact first; the first 100."""


class ReputationList(ApiModel):
    """The last 24 hours, or since a key was resumed. Of wider keys, without the mail of narrower ones that were stopped."""

    keys: list[KeyReputation]
    ses: SesStanding


class ReputationRoutes:
    def __init__(self, reputation: Reputation, holds: HoldList, watch: StandingWatch) -> None:
        self._reputation = reputation
        self._watch = watch
        self._holds = holds

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/reputation", self.show)]

    @operation(
        "Bounces and complaints of the account, bulk mail, tenants and topics", answer=ReputationList, scope=Scope.READ
    )
    async def show(self, _request: web.Request) -> web.Response:
        found = {key: counts.total for key, counts in self._reputation.counts.items()}
        most = sorted(found.items(), key=lambda item: item[1].sent, reverse=True)[:_MOST]
        return answer(
            ReputationList(
                keys=[
                    KeyReputation(
                        key=key,
                        sent=total.sent,
                        bounced=total.bounced,
                        complained=total.complained,
                        bounce_rate=total.bounced / max(1, total.sent),
                        complaint_rate=total.complained / max(1, total.sent),
                        held=self._holds.holds(key),
                    )
                    for key, total in most
                ],
                ses=self._ses(),
            )
        )

    def _ses(self) -> SesStanding:
        standing = self._watch.standing
        advice = sorted(standing.recommendations, key=lambda each: each.impact != "HIGH")[:_MOST_ADVICE]
        return SesStanding(
            read_at=self._watch.read_at,
            paused=sorted(standing.paused)[:_MOST],
            at_risk=sorted(standing.at_risk)[:_MOST],
            recommendations=[Advice(**asdict(each)) for each in advice],
        )
