"""Holds for operators: listed, placed and ended."""

from typing import Annotated

import structlog
from aiohttp import web
from pydantic import AfterValidator, Field

from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold import Hold, Holder
from email_consumer.holds.hold_list import HoldList, TooManyHoldsError
from email_consumer.holds.keys import check_key
from email_consumer.message.fields import OneLine
from email_consumer.message.times import parse_time
from email_consumer.web.audit import audit_target
from email_consumer.web.errors import ApiError
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, RequestModel, answer, operation, read_body
from email_consumer.web.times import Moment

_OPERATOR = "operator"

_log = structlog.get_logger(__name__)

HoldKey = Annotated[str, Field(max_length=300), AfterValidator(check_key)]


class NewHold(RequestModel):
    key: HoldKey
    """`account`, `lane:bulk`, `tenant:<name>` or `topic:<id>`. Lanes and topics concern bulk mail alone."""
    reason: Annotated[OneLine, Field(max_length=500)] = ""
    """A note, shown wherever the hold is."""
    until: Annotated[str, Field(max_length=64)] | None = None
    """When it ends, as RFC 3339; without it, once somebody ends it."""


class ActiveHold(ApiModel):
    key: str
    holder: str
    """Who placed it: breaker, canary, operator or ses. A key is held until all of its holds have ended."""
    reason: str
    since: Moment
    until: Moment | None
    transactional: bool
    """Whether transactional mail is held, too."""
    mails: int
    """Mails in the store that wait for this key."""


class ActiveHoldList(ApiModel):
    holds: list[ActiveHold]


class HoldRoutes:
    def __init__(self, holds: HoldList, mail: HeldMail) -> None:
        self._holds = holds
        self._mail = mail

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/holds", self.show),
            web.post("/v1/holds", self.place),
            web.delete("/v1/holds/{key:[^/]+}", self.resume),
        ]

    @operation("All active holds", answer=ActiveHoldList, scope=Scope.READ)
    async def show(self, _request: web.Request) -> web.Response:
        return await self._answer(self._holds.active)

    @operation("Hold mail; it waits in the store", body=NewHold, answer=ActiveHold, errors=(409,), scope=Scope.ADMIN)
    async def place(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewHold)
        try:
            hold = await self._holds.place(new.key, new.reason, Holder.OPERATOR, until=_end(new.until))
        except TooManyHoldsError as error:
            raise ApiError(409, "too_many_holds", f"{error}.") from None
        audit_target(request, hold.key)
        return answer(_shown(hold, await self._mail.counts()))

    @operation(
        "End all holds of a key; its mail goes on. Answers what was ended", answer=ActiveHoldList, scope=Scope.ADMIN
    )
    async def resume(self, request: web.Request) -> web.Response:
        ended = await self._holds.resume(request.match_info["key"], by=_OPERATOR)
        if not ended:
            raise ApiError(404, "not_held", "Nothing holds this key.")
        _log.info("hold.resumed_by_operator", key=ended[0].key, holders=[hold.holder for hold in ended])
        return await self._answer(ended)

    async def _answer(self, holds: list[Hold]) -> web.Response:
        counts = await self._mail.counts()
        return answer(ActiveHoldList(holds=[_shown(hold, counts) for hold in holds]))


def _shown(hold: Hold, counts: dict[str, int]) -> ActiveHold:
    return ActiveHold(
        key=hold.key,
        holder=hold.holder,
        reason=hold.reason,
        since=hold.since,
        until=hold.until,
        transactional=hold.transactional,
        mails=counts.get(hold.key, 0),
    )


def _end(text: str | None) -> float | None:
    try:
        end = parse_time(text) if text else None
    except ValueError as error:
        raise ApiError(422, "invalid", f"until {error}.", {"fields": [f"until: {error}"]}) from None
    return end.timestamp() if end else None
