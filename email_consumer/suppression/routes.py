"""`/v1/suppressions`: the suppression list."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.message.address import normal_form
from email_consumer.suppression.suppression import Reason, Suppression
from email_consumer.suppression.suppression_list import SuppressionList
from email_consumer.web.routing import (
    ApiError,
    ApiModel,
    PageAnswer,
    PageQuery,
    answer,
    next_page,
    operation,
    read_body,
    read_query,
)
from email_consumer.web.times import Moment


class NewSuppression(ApiModel):
    address: Annotated[str, Field(min_length=1, max_length=320)]
    """Bare, or `Name <address>`."""
    detail: Annotated[str, Field(max_length=500)] = ""
    """A note for operators."""


class SuppressedAddress(ApiModel):
    address: str
    reason: Reason
    detail: str
    source: str
    """`event`, `recipient` or `api`."""
    created_at: Moment

    @classmethod
    def of(cls, entry: Suppression) -> "SuppressedAddress":
        return cls(
            address=entry.address,
            reason=entry.reason,
            detail=entry.detail,
            source=entry.source,
            created_at=entry.created_at,
        )


class SuppressionQuery(PageQuery):
    reason: Reason | None = None
    """Only entries with this reason."""


class SuppressionPage(PageAnswer):
    suppressions: list[SuppressedAddress]


class SuppressionRoutes:
    """List, look up, add, remove."""

    def __init__(self, suppressions: SuppressionList) -> None:
        self._suppressions = suppressions

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/suppressions", self.list),
            web.post("/v1/suppressions", self.add),
            web.get("/v1/suppressions/{address:[^/]+}", self.get),
            web.delete("/v1/suppressions/{address:[^/]+}", self.remove),
        ]

    @operation("Suppressed addresses", query=SuppressionQuery, answer=SuppressionPage)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, SuppressionQuery)
        found = await self._suppressions.page(query.limit, query.after, query.reason)
        more = next_page(found, query, lambda entry: entry.address)
        return answer(SuppressionPage(suppressions=[SuppressedAddress.of(each) for each in found], next=more))

    @operation("Suppress an address", body=NewSuppression, answer=SuppressedAddress)
    async def add(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewSuppression)
        address = _normal(new.address)
        if address is None:
            raise ApiError(422, "invalid", "address: not an e-mail address", {"fields": ["address"]})
        entry = await self._suppressions.add(address, Reason.MANUAL, new.detail, "api")
        return answer(SuppressedAddress.of(entry))

    @operation("The suppression of an address", answer=SuppressedAddress)
    async def get(self, request: web.Request) -> web.Response:
        address = _normal(request.match_info["address"])
        entry = await self._suppressions.get(address) if address else None
        if entry is None:
            raise _absent()
        return answer(SuppressedAddress.of(entry))

    @operation("Remove an address from the suppression list; returns the removed entry", answer=SuppressedAddress)
    async def remove(self, request: web.Request) -> web.Response:
        address = _normal(request.match_info["address"])
        entry = await self._suppressions.get(address) if address else None
        if entry is None or not await self._suppressions.remove(entry.address):
            raise _absent()
        return answer(SuppressedAddress.of(entry))


def _normal(text: str) -> str | None:
    try:
        return normal_form(text)
    except ValueError:
        return None


def _absent() -> ApiError:
    return ApiError(404, "not_suppressed", "The address is not on the suppression list.")
