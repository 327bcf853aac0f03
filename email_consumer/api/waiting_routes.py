"""`GET /v1/waiting`: mail in the store that is not sent yet, by why it waits."""

import time

from aiohttp import web

from email_consumer.api import statements
from email_consumer.message.lane import Lane
from email_consumer.store.database import Database
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, answer, operation
from email_consumer.web.times import Moment

_COUNTED = 20_000


class WaitingMail(ApiModel):
    mails: int
    """Counted up to 20,000."""
    first_at: Moment | None
    """When the first one is due, or became due."""


class WaitingOfLane(ApiModel):
    scheduled: WaitingMail
    """Due later."""
    due: WaitingMail
    """Due, and on its way into the queue."""


class Waiting(ApiModel):
    """Mail that waits in the queue itself is not included; see `queue` and `lanes` of `/v1/live`."""

    lanes: dict[str, WaitingOfLane]


class WaitingRoutes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/waiting", self.show)]

    @operation("Mail that waits in the store", answer=Waiting, scope=Scope.READ)
    async def show(self, _request: web.Request) -> web.Response:
        now = time.time()
        lanes = {
            str(lane): WaitingOfLane(
                scheduled=await self._count(lane, statements.COUNT_SCHEDULED, now),
                due=await self._count(lane, statements.COUNT_DUE, now),
            )
            for lane in Lane
        }
        return answer(Waiting(lanes=lanes))

    async def _count(self, lane: Lane, statement: str, now: float) -> WaitingMail:
        parameters = {"transactional": lane is Lane.TRANSACTIONAL, "now": now, "limit": _COUNTED}
        ((mails, first),) = await self._database.fetch(statement, parameters)
        return WaitingMail(mails=mails, first_at=first)
