"""`GET /v1/waiting`: mail in the store that is not sent yet, by lane and tenant."""

import time
from collections.abc import Sequence

from aiohttp import web

from email_consumer.api import waiting_statements as statements
from email_consumer.message.lane import Lane
from email_consumer.store.database import Database
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, answer, operation
from email_consumer.web.times import Moment

_COUNTED = 20_000
"""Mails of a lane that are counted at most, which takes a few milliseconds."""
_MOST_TENANTS = 100


class WaitingMail(ApiModel):
    mails: int
    """Counted up to about 20,000 of a lane."""
    more: bool
    """Whether there are more than were counted."""
    first_at: Moment | None
    """When the first one is due, or became due."""


class Waits(ApiModel):
    scheduled: WaitingMail
    """Due later."""
    due: WaitingMail
    """Due, and on its way into the queue."""


class WaitingOfTenant(Waits):
    tenant: str | None
    """Null: mail without a tenant."""


class WaitingOfLane(Waits):
    tenants: list[WaitingOfTenant]
    """The first 100 by name."""


class Waiting(ApiModel):
    """Mail that waits in the queue itself is not included, see `queue` and `lanes` of `/v1/live`; nor is held mail."""

    lanes: dict[str, WaitingOfLane]


class WaitingRoutes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/waiting", self.show)]

    @operation("Mail that waits in the store", answer=Waiting, scope=Scope.READ)
    async def show(self, _request: web.Request) -> web.Response:
        return answer(Waiting(lanes={str(lane): await self._lane(lane) for lane in Lane}))

    async def _lane(self, lane: Lane) -> WaitingOfLane:
        place = {"transactional": lane is Lane.TRANSACTIONAL, "now": time.time()}
        rows = await self._database.fetch(statements.TENANTS, place | {"most": _MOST_TENANTS + 1})
        names = [row["tenant"] for row in rows][:_MOST_TENANTS]
        limit = _COUNTED // max(1, len(names))
        tenants = [
            WaitingOfTenant(
                tenant=name or None,
                scheduled=await self._count(statements.COUNT_SCHEDULED, place | {"tenant": name}, limit),
                due=await self._count(statements.COUNT_DUE, place | {"tenant": name}, limit),
            )
            for name in names
        ]
        others = len(rows) > _MOST_TENANTS
        return WaitingOfLane(
            scheduled=_together([each.scheduled for each in tenants], others=others),
            due=_together([each.due for each in tenants], others=others),
            tenants=tenants,
        )

    async def _count(self, statement: str, which: dict[str, object], limit: int) -> WaitingMail:
        ((mails, first),) = await self._database.fetch(statement, which | {"limit": limit + 1})
        return WaitingMail(mails=min(mails, limit), more=mails > limit, first_at=first)


def _together(parts: Sequence[WaitingMail], *, others: bool) -> WaitingMail:
    return WaitingMail(
        mails=sum(part.mails for part in parts),
        more=others or any(part.more for part in parts),
        first_at=min((part.first_at for part in parts if part.first_at is not None), default=None),
    )
