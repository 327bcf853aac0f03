"""`/v1/suppressions`: the suppression list."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from email_consumer.message.address import normal_form
from email_consumer.message.fields import Tenant, UnsubscribeGroup
from email_consumer.suppression.suppression import Reason, Suppression
from email_consumer.suppression.suppression_list import SuppressionList, place
from email_consumer.web.audit import audit_target
from email_consumer.web.grant import Scope
from email_consumer.web.routing import (
    ApiError,
    ApiModel,
    PageAnswer,
    PageQuery,
    RequestModel,
    answer,
    next_page,
    operation,
    read_body,
    read_query,
)
from email_consumer.web.times import Moment


class NewSuppression(RequestModel):
    address: Annotated[str, Field(min_length=1, max_length=320)]
    """Bare, or `Name <address>`."""
    reason: Literal[Reason.MANUAL, Reason.UNSUBSCRIBED] = Reason.MANUAL
    """`unsubscribed` stops bulk mail, `manual` all mail. With a `group`, both stop bulk mail of that group."""
    group: UnsubscribeGroup | None = None
    """The unsubscribe group whose bulk mail is stopped."""
    tenant: Tenant | None = None
    """The tenant whose mail is stopped, all of it; only with the reason `manual`, and without a `group`."""
    detail: Annotated[str, Field(max_length=500)] = ""
    """A note for operators."""


class SuppressedAddress(ApiModel):
    address: str
    group: str | None
    """The unsubscribe group whose bulk mail is stopped. Without one, all mail is, or for `unsubscribed` all bulk mail."""
    tenant: str | None
    """The tenant whose mail is stopped; null: everybody's."""
    reason: Reason
    detail: str
    source: str
    """`event`, `recipient` or `api`."""
    created_at: Moment

    @classmethod
    def of(cls, entry: Suppression) -> "SuppressedAddress":
        return cls(
            address=entry.address,
            group=entry.group,
            tenant=entry.tenant,
            reason=entry.reason,
            detail=entry.detail,
            source=entry.source,
            created_at=entry.created_at,
        )


class AddressSuppression(SuppressedAddress):
    """The entry that stops most mail to the address, or the one that was asked for."""

    also: list[SuppressedAddress]
    """Further entries of the address."""

    @classmethod
    def with_others(cls, entry: Suppression, entries: Iterable[Suppression]) -> "AddressSuppression":
        also = [SuppressedAddress.of(each) for each in entries if each != entry]
        return cls(**SuppressedAddress.of(entry).model_dump(), also=also)


class SuppressionQuery(PageQuery):
    reason: Reason | None = None
    """Only entries with this reason."""
    group: UnsubscribeGroup | None = None
    """Only entries of this unsubscribe group."""
    tenant: Tenant | None = None
    """Only entries of this tenant."""


class EntryQuery(RequestModel):
    group: UnsubscribeGroup | None = None
    """The entry of this unsubscribe group."""
    tenant: Tenant | None = None
    """The entry of this tenant."""
    reason: Reason | None = None
    """The entry with this reason. Of several, the one that stops most mail to the address counts."""


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

    @operation("Suppressed addresses", query=SuppressionQuery, answer=SuppressionPage, scope=Scope.READ)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, SuppressionQuery)
        if query.group and query.tenant:
            raise _either_or()
        found = await self._suppressions.page(query.limit, query.after, query.reason, query.group, tenant=query.tenant)
        more = next_page(found, query, place)
        return answer(SuppressionPage(suppressions=[SuppressedAddress.of(each) for each in found], next=more))

    @operation("Suppress an address", body=NewSuppression, answer=SuppressedAddress, scope=Scope.ADMIN)
    async def add(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewSuppression)
        address = _normal(new.address)
        if address is None:
            raise ApiError(422, "invalid", "address: not an e-mail address", {"fields": ["address"]})
        if new.tenant and (new.group or new.reason is Reason.UNSUBSCRIBED):
            raise _either_or()
        entry = await self._suppressions.add(address, new.reason, new.detail, "api", new.group, tenant=new.tenant)
        audit_target(request, address)
        return answer(SuppressedAddress.of(entry))

    @operation("The suppression of an address", query=EntryQuery, answer=AddressSuppression, scope=Scope.READ)
    async def get(self, request: web.Request) -> web.Response:
        return answer(AddressSuppression.with_others(*await self._find(request)))

    @operation(
        "Remove an entry of an address from the suppression list; returns it, with those that stay",
        query=EntryQuery,
        answer=AddressSuppression,
        scope=Scope.ADMIN,
    )
    async def remove(self, request: web.Request) -> web.Response:
        entry, entries = await self._find(request)
        audit_target(request, entry.address)
        if not await self._suppressions.remove(entry.address, entry.scope):
            raise _absent()
        return answer(AddressSuppression.with_others(entry, entries))

    async def _find(self, request: web.Request) -> tuple[Suppression, Sequence[Suppression]]:
        """The entry that a request is about, and all of its address."""
        query = read_query(request, EntryQuery)
        address = _normal(request.match_info["address"])
        entries = await self._suppressions.entries(address) if address else []
        wanted = [
            entry
            for entry in entries
            if query.group in (None, entry.group)
            and query.tenant in (None, entry.tenant)
            and query.reason in (None, entry.reason)
        ]
        if not wanted:
            raise _absent()
        return wanted[0], entries


def _normal(text: str) -> str | None:
    try:
        return normal_form(text)
    except ValueError:
        return None


def _either_or() -> ApiError:
    text = "tenant: can't be given with a group or with unsubscribed, which concern everybody's mail"
    return ApiError(422, "invalid", text, {"fields": ["tenant"]})


def _absent() -> ApiError:
    return ApiError(404, "not_suppressed", "The address is not on the suppression list.")
