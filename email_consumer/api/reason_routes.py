"""`GET /v1/reasons`: why mail failed, was stopped, bounced, was delayed or drew complaints, the most frequent reason first."""

import re
from collections import Counter
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.api import statements
from email_consumer.store.database import Database
from email_consumer.store.mail_state import INCIDENTS, MailState
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, RequestModel, answer, operation, read_query

_EXAMINED = 1_000
"""Mails of each state, so that the cost does not depend on the size of the table."""
_WORD = re.compile(r"""[^\s:;,<>()"']+""")


class ReasonsQuery(RequestModel):
    topic_id: Annotated[str, Field(max_length=256)] = ""
    """Only mail of this topic."""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    """Maximum number of reasons."""


class ReasonCount(ApiModel):
    state: MailState
    reason: str
    """With `…` in place of addresses, so that mail is counted together that has the same reason."""
    mails: int


class Reasons(ApiModel):
    reasons: list[ReasonCount]
    examined: int = _EXAMINED
    """How many mails of each state were examined at most, the latest ones."""


class ReasonRoutes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/reasons", self.list)]

    @operation(
        "Why mail did not arrive, the most frequent reason first", query=ReasonsQuery, answer=Reasons, scope=Scope.READ
    )
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, ReasonsQuery)
        statement = statements.REASONS_OF_TOPIC if query.topic_id else statements.REASONS
        found: Counter[tuple[MailState, str]] = Counter()
        for state in sorted(INCIDENTS):
            parameters = {"topic_id": query.topic_id, "state": state, "limit": _EXAMINED}
            for reason, mails in await self._database.fetch(statement, parameters):
                found[state, _without_addresses(reason or "")] += mails
        reasons = [
            ReasonCount(state=state, reason=text, mails=mails)
            for (state, text), mails in found.most_common(query.limit)
        ]
        return answer(Reasons(reasons=reasons))


def _without_addresses(reason: str) -> str:
    return _WORD.sub(lambda word: "…" if "@" in word[0] else word[0], reason) if "@" in reason else reason
