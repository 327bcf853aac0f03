"""The reputation for operators: what was sent in the last day, and how much of it bounced or was complained of."""

from aiohttp import web

from email_consumer.holds.hold_list import HoldList
from email_consumer.reputation.reputation import Reputation
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, answer, operation

_MOST = 1_000


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


class ReputationList(ApiModel):
    """The last 24 hours, or since a key was resumed. Of wider keys, without the mail of narrower ones that were stopped."""

    keys: list[KeyReputation]


class ReputationRoutes:
    def __init__(self, reputation: Reputation, holds: HoldList) -> None:
        self._reputation = reputation
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
                ]
            )
        )
