"""`GET /v1/topics`: all topics with their numbers, those that mail came for last first."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.message.times import from_unix
from email_consumer.store.database import Database
from email_consumer.store.status import Status
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

_PAGE = """
SELECT id, topic_id, active_at, cancelled_at FROM topics LEFT JOIN cancellations USING (topic_id)
WHERE (active_at, id) < (:active_at, :id) ORDER BY active_at DESC, id DESC LIMIT :limit
"""
_REQUESTS = "SELECT topic_id, status, count FROM topic_counts WHERE topic_id IN (SELECT value FROM json_each(?))"
_RESULTS = "SELECT topic_id, kind, count FROM topic_results WHERE topic_id IN (SELECT value FROM json_each(?))"

_PLACE = r"\d{1,15}(\.\d{1,17})?-\d{1,18}"
_NO_MAIL = dict.fromkeys(StatusCounts.model_fields, 0)
_NO_RESULT = dict.fromkeys(ResultCounts.model_fields, 0)
_BEGINNING = "999999999999-0"


class TopicsQuery(PageQuery):
    limit: Annotated[int, Field(ge=1, le=200)] = 25
    """Entries in a page, at the most."""
    after: Annotated[str, Field(pattern=rf"^({_PLACE})?$")] = ""
    """What the page before answered as `next`; empty for the first page."""


class TopicLine(ApiModel):
    topic_id: str
    active_at: datetime
    """When mail came for it last, to the minute."""
    request_counts: StatusCounts
    """Mails by status."""
    result_counts: ResultCounts
    """Distinct recipients by what SES, or they, answered."""
    cancelled_at: datetime | None


class Topics(PageAnswer):
    topics: list[TopicLine]


class TopicList:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/topics", self.list, allow_head=False)]

    @operation("Topics and their numbers, the latest first", query=TopicsQuery, answer=Topics)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, TopicsQuery)
        active_at, _, number = (query.after or _BEGINNING).partition("-")
        place = {"active_at": float(active_at), "id": int(number), "limit": query.limit}
        rows = await self._database.fetch(_PAGE, place)
        names = json.dumps([row["topic_id"] for row in rows])
        requests: defaultdict[str, dict[str, int]] = defaultdict(_NO_MAIL.copy)
        for topic_id, status, count in await self._database.fetch(_REQUESTS, (names,)):
            requests[topic_id][Status(status).name.title()] = count
        results: defaultdict[str, dict[str, int]] = defaultdict(_NO_RESULT.copy)
        for topic_id, kind, count in await self._database.fetch(_RESULTS, (names,)):
            results[topic_id][kind] = count
        topics = [
            TopicLine(
                topic_id=row["topic_id"],
                active_at=from_unix(row["active_at"]),
                request_counts=StatusCounts.model_validate(requests[row["topic_id"]]),
                result_counts=ResultCounts.model_validate(results[row["topic_id"]]),
                cancelled_at=row["cancelled_at"] and from_unix(row["cancelled_at"]),
            )
            for row in rows
        ]
        last = next_page(rows, query, lambda row: f"{row['active_at']!r}-{row['id']}")
        return answer(Topics(topics=topics, next=last))
