"""`GET /v1/messages?email=…`: mails to one address, latest first."""

import sqlite3
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.dashboard import statements
from email_consumer.message.address import normal_form
from email_consumer.store.database import Database
from email_consumer.store.status import Status
from email_consumer.web.routing import (
    ApiError,
    ApiModel,
    NumberedPageQuery,
    PageAnswer,
    answer,
    next_page,
    operation,
    read_query,
)
from email_consumer.web.times import Moment

_NEWEST = 2**63 - 1


class MailsQuery(NumberedPageQuery):
    email: Annotated[str, Field(min_length=1, max_length=320)]
    """The recipient's address."""
    limit: Annotated[int, Field(ge=1, le=200)] = 25
    """Maximum number of entries in a page."""


class MailSummary(ApiModel):
    uuid: str
    """With a NUL and a number appended if the uuid was reused later and now identifies another mail."""
    topic_id: str | None
    email: str
    """As the publisher wrote it."""
    status: str
    in_doubt: bool
    error: str | None
    created_at: Moment


class MailPage(PageAnswer):
    mails: list[MailSummary]


class MailSearch:
    """The cost does not depend on the size of the table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/messages", self.list)]

    @operation("Mails to an address (not those it received as cc or bcc)", query=MailsQuery, answer=MailPage)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, MailsQuery)
        parameters = {"address": _normal(query.email), "before": int(query.after or _NEWEST), "limit": query.limit}
        found = await self._database.fetch(statements.MAILS_TO, parameters)
        latest = sorted(found, key=lambda row: row["id"], reverse=True)[: query.limit]
        more = next_page(latest, query, lambda row: row["id"])
        return answer(MailPage(mails=[_line(row) for row in latest], next=more))


def _normal(text: str) -> str:
    try:
        return normal_form(text)
    except ValueError:
        raise ApiError(422, "invalid", "email: not an e-mail address", {"fields": ["email"]}) from None


def _line(row: sqlite3.Row) -> MailSummary:
    return MailSummary(
        uuid=row["uuid"],
        topic_id=row["topic_id"],
        email=row["email"],
        status=Status(row["status"]).name.title(),
        in_doubt=row["in_doubt"],
        error=row["error"],
        created_at=row["created_at"],
    )
