"""`GET /v1/messages?email=…`: the mails to one address, the latest first."""

import sqlite3
from datetime import datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.message.address import normal_form
from email_consumer.message.times import from_unix
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

# Each stops after a page, since an index holds the ids of an address in order.
_IN_NORMAL_FORM = "SELECT * FROM email_requests WHERE email = :address AND id < :before ORDER BY id DESC LIMIT :limit"
_WRITTEN_OTHERWISE = (
    "SELECT * FROM email_requests WHERE address = :address AND id < :before ORDER BY id DESC LIMIT :limit"
)

_NEWEST = 2**63 - 1


class MailsQuery(NumberedPageQuery):
    email: Annotated[str, Field(min_length=1, max_length=320)]
    """The recipient's address."""
    limit: Annotated[int, Field(ge=1, le=200)] = 25
    """Entries in a page, at the most."""


class MailLine(ApiModel):
    uuid: str
    """Followed by a NUL and a number where the uuid was used again later, and stands for another mail now."""
    topic_id: str | None
    email: str
    """As the publisher wrote it."""
    status: str
    in_doubt: bool
    error: str | None
    created_at: datetime


class Mails(PageAnswer):
    mails: list[MailLine]


class MailSearch:
    """Costs the same whatever the table's size."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/messages", self.list, allow_head=False)]

    @operation("The mails to an address (not those it got as cc or bcc)", query=MailsQuery, answer=Mails)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, MailsQuery)
        place = {"address": _normal(query.email), "before": int(query.after or _NEWEST), "limit": query.limit}
        found = [row for sql in (_IN_NORMAL_FORM, _WRITTEN_OTHERWISE) for row in await self._database.fetch(sql, place)]
        latest = sorted(found, key=lambda row: row["id"], reverse=True)[: query.limit]
        more = next_page(latest, query, lambda row: row["id"])
        return answer(Mails(mails=[_line(row) for row in latest], next=more))


def _normal(text: str) -> str:
    try:
        return normal_form(text)
    except ValueError:
        raise ApiError(422, "invalid", "email: is not an e-mail address", {"fields": ["email"]}) from None


def _line(row: sqlite3.Row) -> MailLine:
    return MailLine(
        uuid=row["uuid"],
        topic_id=row["topic_id"],
        email=row["email"],
        status=Status(row["status"]).name.title(),
        in_doubt=row["in_doubt"],
        error=row["error"],
        created_at=from_unix(row["created_at"]),
    )
