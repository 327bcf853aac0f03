"""`GET /v1/audit`: who did what; `GET /v1/audit.csv` and `.ndjson`: all of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import tzinfo
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.access.audit_log import AuditLog, AuditSearch
from email_consumer.message.times import parse_time
from email_consumer.web.exports import CSV, NDJSON, export
from email_consumer.web.grant import Scope
from email_consumer.web.routing import (
    ApiError,
    ApiModel,
    NumberedPageQuery,
    PageAnswer,
    RequestModel,
    answer,
    next_page,
    operation,
    read_query,
)
from email_consumer.web.times import Moment


class AuditFilter(RequestModel):
    key: Annotated[str, Field(max_length=100)] = ""
    """Id of a key; `root` for those of API_KEY."""
    action: Annotated[str, Field(max_length=200)] = ""
    """A part of the action, such as `DELETE` or `/v1/topics`."""
    since: str = ""
    """RFC 3339; a naive time is read in TIMEZONE."""
    until: str = ""


class AuditQuery(AuditFilter, NumberedPageQuery):
    pass


class AuditedAction(ApiModel):
    """Who did what to what."""

    id: int
    at: Moment
    key_id: str
    key_name: str
    action: str
    """Method and path of the route; `key used` tells of the first use of a key from an address within a day."""
    target: str
    """What it was done to; empty if the action says all."""
    status: int
    """Of the response; 403 for a refused attempt."""
    address: str
    """The client's IP address, or that of the proxy in front of us."""


class AuditPage(PageAnswer):
    actions: list[AuditedAction]


class AuditRoutes:
    def __init__(self, log: AuditLog, zone: tzinfo) -> None:
        """`zone` is for naive times."""
        self._log = log
        self._zone = zone

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/audit", self.list),
            web.get("/v1/audit.csv", self.export_csv),
            web.get("/v1/audit.ndjson", self.export_ndjson),
        ]

    @operation("What operators did, latest first", query=AuditQuery, answer=AuditPage, scope=Scope.ADMIN)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, AuditQuery)
        before = int(query.after) if query.after else None
        rows = await self._log.page(self._search(query), before, query.limit)
        actions = [AuditedAction(**row) for row in rows]
        return answer(AuditPage(actions=actions, next=next_page(actions, query, lambda each: each.id)))

    @operation("The whole audit log as CSV", query=AuditFilter, answer_type=CSV, scope=Scope.ADMIN, audited=True)
    async def export_csv(self, request: web.Request) -> web.StreamResponse:
        return await export(request, CSV, AuditedAction, self._all(request))

    @operation(
        "The whole audit log as JSON, an object per line",
        query=AuditFilter,
        answer_type=NDJSON,
        scope=Scope.ADMIN,
        audited=True,
    )
    async def export_ndjson(self, request: web.Request) -> web.StreamResponse:
        return await export(request, NDJSON, AuditedAction, self._all(request))

    def _all(self, request: web.Request) -> AsyncIterator[Sequence[AuditedAction]]:
        search = self._search(read_query(request, AuditFilter))

        async def pages() -> AsyncIterator[Sequence[AuditedAction]]:
            async for rows in self._log.pages(search):
                yield [AuditedAction(**row) for row in rows]

        return pages()

    def _search(self, wanted: AuditFilter) -> AuditSearch:
        given = {name: self._time(text, name) for name in ("since", "until") if (text := getattr(wanted, name))}
        return AuditSearch(wanted.key, wanted.action, **given)

    def _time(self, text: str, field: str) -> float:
        try:
            moment = parse_time(text, self._zone)
        except ValueError as error:
            raise ApiError(400, "bad_time", f"{field} {error}.", {"fields": [field]}) from None
        return moment.timestamp() if moment else 0.0
