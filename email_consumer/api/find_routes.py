"""`GET /v1/find`: what begins with a text, so that nobody needs to know a name to the end."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.api import find_statements as statements
from email_consumer.store.database import Database
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, RequestModel, answer, operation, read_query

_LAST = "\U0010ffff"
"""No text that begins with a prefix is after the prefix and this."""


class FindQuery(RequestModel):
    text: Annotated[str, Field(min_length=1, max_length=256)]
    """The beginning of an address, of its domain (with or without @), of a topic or of a uuid."""
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    """Maximum number of each kind."""


class Found(ApiModel):
    """In alphabetical order; the first `limit` of each kind."""

    addresses: list[str]
    """Recipients, in normal form."""
    domains: list[str]
    topics: list[str]
    uuids: list[str]


class FindRoutes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/find", self.find)]

    @operation(
        "Addresses, domains, topics and uuids that begin with a text", query=FindQuery, answer=Found, scope=Scope.READ
    )
    async def find(self, request: web.Request) -> web.Response:
        query = read_query(request, FindQuery)
        text = query.text.strip()
        lower = text.lower()
        return answer(
            Found(
                addresses=[] if text.startswith("@") else await self._find(statements.ADDRESSES, lower, query.limit),
                domains=await self._find(statements.DOMAINS, lower.removeprefix("@"), query.limit),
                topics=await self._find(statements.TOPICS, text, query.limit),
                uuids=await self._find(statements.UUIDS, text, query.limit),
            )
        )

    async def _find(self, statement: str, prefix: str, limit: int) -> list[str]:
        if not prefix:
            return []
        parameters = {"first": prefix, "last": prefix + _LAST, "limit": limit}
        return [row[0] for row in await self._database.fetch(statement, parameters)]
