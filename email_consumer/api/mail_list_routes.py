"""`GET /v1/messages`: a page of mail; `GET /v1/messages.csv` and `.ndjson`: all of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import tzinfo
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.api.mail_filter import MailFilter, search
from email_consumer.api.mail_lists import MailLists, MailSummary
from email_consumer.web.exports import CSV, NDJSON, export
from email_consumer.web.grant import Scope
from email_consumer.web.routing import NumberedPageQuery, PageAnswer, answer, operation, read_query


class MailsQuery(MailFilter, NumberedPageQuery):
    limit: Annotated[int, Field(ge=1, le=200)] = 25
    """Maximum number of entries in a page; it may have fewer, even none: the list ends where `next` is null."""


class MailPage(PageAnswer):
    mails: list[MailSummary]


class MailListRoutes:
    def __init__(self, lists: MailLists, zone: tzinfo) -> None:
        """`zone` is for naive times."""
        self._lists = lists
        self._zone = zone

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/messages", self.list),
            web.get("/v1/messages.csv", self.export_csv),
            web.get("/v1/messages.ndjson", self.export_ndjson),
        ]

    @operation("Mail, latest first", query=MailsQuery, answer=MailPage, scope=Scope.READ)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, MailsQuery)
        before = int(query.after) if query.after else None
        mails, more = await self._lists.page(search(query, self._zone), before, query.limit)
        return answer(MailPage(mails=mails, next=None if more is None else str(more)))

    @operation(
        "All mail of a list as CSV with a header line",
        query=MailFilter,
        answer_type=CSV,
        scope=Scope.READ,
        audited=True,
    )
    async def export_csv(self, request: web.Request) -> web.StreamResponse:
        return await export(request, CSV, MailSummary, self._all(request))

    @operation(
        "All mail of a list as JSON, an object per line",
        query=MailFilter,
        answer_type=NDJSON,
        scope=Scope.READ,
        audited=True,
    )
    async def export_ndjson(self, request: web.Request) -> web.StreamResponse:
        return await export(request, NDJSON, MailSummary, self._all(request))

    def _all(self, request: web.Request) -> AsyncIterator[Sequence[MailSummary]]:
        return self._lists.pages(search(read_query(request, MailFilter), self._zone))
