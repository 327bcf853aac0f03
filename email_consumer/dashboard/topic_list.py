"""`GET /v1/topics`: all topics with their statistics, the most recently active first."""

from collections import defaultdict
from typing import Annotated

import orjson
from aiohttp import web
from pydantic import Field

from email_consumer.dashboard import statements
from email_consumer.store.database import Database
from email_consumer.store.status import Status
from email_consumer.web.grant import Scope
from email_consumer.web.routing import (
    ApiModel,
    PageAnswer,
    PageQuery,
    ResultCounts,
    StatusCounts,
    answer,
    next_page,
    operation,
    read_query,
)
from email_consumer.web.times import Moment

_CURSOR = r"\d{1,15}(\.\d{1,17})?-\d{1,18}"
_NO_MAIL = dict.fromkeys(StatusCounts.model_fields, 0)
_NO_RESULT = dict.fromkeys(ResultCounts.model_fields, 0)
_FIRST_PAGE = "999999999999-0"


class TopicsQuery(PageQuery):
    limit: Annotated[int, Field(ge=1, le=200)] = 25
    """Maximum number of entries in a page."""
    after: Annotated[str, Field(pattern=rf"^({_CURSOR})?$")] = ""
    """The `next` of the previous page; empty for the first page."""


class TopicSummary(ApiModel):
    topic_id: str
    active_at: Moment
    """When its latest mail arrived, to the minute."""
    request_counts: StatusCounts
    """Mails by status."""
    result_counts: ResultCounts
    """Distinct recipients by kind of result."""
    cancelled_at: Moment | None


class TopicPage(PageAnswer):
    topics: list[TopicSummary]


class TopicList:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/topics", self.list)]

    @operation(
        "Topics and their statistics, most recently active first", query=TopicsQuery, answer=TopicPage, scope=Scope.READ
    )
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, TopicsQuery)
        active_at, _, number = (query.after or _FIRST_PAGE).partition("-")
        place = {"active_at": float(active_at), "id": int(number), "limit": query.limit}
        rows = await self._database.fetch(statements.PAGE_OF_TOPICS, place)
        names = orjson.dumps([row["topic_id"] for row in rows]).decode()
        requests: defaultdict[str, dict[str, int]] = defaultdict(_NO_MAIL.copy)
        for topic_id, status, count in await self._database.fetch(statements.STATUS_COUNTS, (names,)):
            requests[topic_id][Status(status).name.title()] = count
        results: defaultdict[str, dict[str, int]] = defaultdict(_NO_RESULT.copy)
        for topic_id, kind, count in await self._database.fetch(statements.RESULT_COUNTS, (names,)):
            results[topic_id][kind] = count
        topics = [
            TopicSummary(
                topic_id=row["topic_id"],
                active_at=row["active_at"],
                request_counts=StatusCounts.model_validate(requests[row["topic_id"]]),
                result_counts=ResultCounts.model_validate(results[row["topic_id"]]),
                cancelled_at=row["cancelled_at"],
            )
            for row in rows
        ]
        last = next_page(rows, query, lambda row: f"{row['active_at']!r}-{row['id']}")
        return answer(TopicPage(topics=topics, next=last))
