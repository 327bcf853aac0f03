"""`GET /v1/messages`: a page of mail; `GET /v1/messages.csv` and `.ndjson`: all of it."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Annotated

from aiohttp import web
from pydantic import ConfigDict, Field

from email_consumer.api.mail_filter import MailFilter, search
from email_consumer.api.mail_lists import MailLists, MailSummary
from email_consumer.web.routing import NumberedPageQuery, PageAnswer, answer, operation, read_query

CSV, NDJSON = "text/csv", "application/x-ndjson"


class MailsQuery(MailFilter, NumberedPageQuery):
    model_config = ConfigDict(extra="forbid")

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

    @operation("Mail, latest first", query=MailsQuery, answer=MailPage)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, MailsQuery)
        before = int(query.after) if query.after else None
        mails, more = await self._lists.page(search(query, self._zone), before, query.limit)
        return answer(MailPage(mails=mails, next=None if more is None else str(more)))

    @operation("All mail of a list as CSV with a header line", query=MailFilter, answer_type=CSV)
    async def export_csv(self, request: web.Request) -> web.StreamResponse:
        return await self._export(request, CSV, ",".join(MailSummary.model_fields) + "\r\n", _csv_lines)

    @operation("All mail of a list as JSON, an object per line", query=MailFilter, answer_type=NDJSON)
    async def export_ndjson(self, request: web.Request) -> web.StreamResponse:
        return await self._export(request, NDJSON, "", _json_lines)

    async def _export(
        self, request: web.Request, kind: str, head: str, lines: Callable[[Sequence[MailSummary]], str]
    ) -> web.StreamResponse:
        wanted = search(read_query(request, MailFilter), self._zone)
        response = web.StreamResponse()
        response.content_type = kind
        response.charset = "utf-8"
        await response.prepare(request)
        try:
            await response.write(head.encode())
            async for mails in self._lists.pages(wanted):
                if mails:
                    await response.write(lines(mails).encode())
            await response.write_eof()
        except Exception:
            if request.transport is not None:
                request.transport.abort()  # so that nobody takes the part for the whole
            raise
        return response


def _csv_lines(mails: Sequence[MailSummary]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(mail.model_dump(mode="json").values() for mail in mails)
    return text.getvalue()


def _json_lines(mails: Sequence[MailSummary]) -> str:
    return "".join(f"{mail.model_dump_json()}\n" for mail in mails)
