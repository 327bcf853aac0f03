"""Ramps for operators: where each domain is, and what waits."""

from aiohttp import web

from email_consumer.core.ramps import today
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.keys import ramp_key
from email_consumer.holds.ramp_release import RampRelease
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, answer, operation


class Ramp(ApiModel):
    domain: str
    """The sender's."""
    begins: str
    """Its first day, as YYYY-MM-DD (UTC)."""
    ends: str
    """The first day without a limit."""
    limit: int | None
    """Recipients of bulk mail today; null once the ramp has ended."""
    released: int
    """Recipients whose mail went on today."""
    mails: int
    """Mails that wait."""


class RampList(ApiModel):
    ramps: list[Ramp]


class RampRoutes:
    def __init__(self, ramp: RampRelease, mail: HeldMail) -> None:
        self._ramp = ramp
        self._mail = mail

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/ramps", self.show)]

    @operation("The ramps of sender domains", answer=RampList, scope=Scope.READ)
    async def show(self, _request: web.Request) -> web.Response:
        counts, ramps, day = await self._mail.counts(), self._ramp.ramps, today()
        return answer(
            RampList(
                ramps=[
                    Ramp(
                        domain=domain,
                        begins=begins.isoformat(),
                        ends=ramps.ends(domain).isoformat(),
                        limit=ramps.limit(domain, day),
                        released=await self._ramp.released(domain, day),
                        mails=counts.get(ramp_key(domain), 0),
                    )
                    for domain, begins in ramps.begins.items()
                ]
            )
        )
