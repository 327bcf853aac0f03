"""`GET /v1/tenants`: the tenants, what became of their mail, their limits, and what waits for them."""

from sqlite3 import Row
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.api.days import date_of, first_of
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.limit_release import LimitRelease
from email_consumer.store.tenant_days import COLUMNS, TenantDays
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, RequestModel, answer, operation, read_query


class TenantsQuery(RequestModel):
    days: Annotated[int, Field(ge=1, le=400)] = 7
    """Including today; days are those of UTC."""
    tenant: Annotated[str, Field(max_length=64)] = ""
    """Only this tenant, by day."""
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class TenantCounts(ApiModel):
    """In mails; a mail counts by what happened to its own recipient, on the day on which it happened."""

    sent: int
    """SES accepted it."""
    delivered: int
    bounced: int
    """For good."""
    complained: int


class TenantDay(TenantCounts):
    day: str
    """Such as 2026-11-28."""


class Tenant(TenantCounts):
    tenant: str
    rate: float | None
    """Recipients a second (TENANT_RATE); null without a limit."""
    daily: int | None
    """Recipients a day (TENANT_DAILY); null without a limit."""
    released: int
    """Recipients whose mail went on today, counted where the tenant has a limit."""
    mails: int
    """Mails that wait for the tenant's limits."""


class TenantReport(Tenant):
    by_day: list[TenantDay]
    """In order; days without mail are missing."""


class TenantList(ApiModel):
    tenants: list[Tenant]
    """Those with limits or mail in these days; those with the most mail first."""
    report: TenantReport | None
    """Of the tenant that was asked for."""


class TenantRoutes:
    def __init__(self, days: TenantDays, mail: HeldMail, limits: LimitRelease) -> None:
        self._days = days
        self._mail = mail
        self._limits = limits

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/tenants", self.show)]

    @operation(
        "The tenants: what became of their mail, and their limits",
        query=TenantsQuery,
        answer=TenantList,
        scope=Scope.READ,
    )
    async def show(self, request: web.Request) -> web.Response:
        query = read_query(request, TenantsQuery)
        since = first_of(query.days)
        await self._days.update()
        totals = {row["tenant"]: row for row in await self._days.totals(since, query.limit, query.tenant or None)}
        waiting = await self._mail.limited()
        if query.tenant:
            names = {query.tenant}
        else:
            names = {*totals, *waiting, *self._limits.limits.named, *await self._limits.tenants(query.limit)}

        def place(name: str) -> tuple[int, int, str]:
            return -totals[name]["sent"] if name in totals else 0, -waiting.get(name, 0), name

        most = sorted(names, key=place)[: query.limit]
        tenants = [await self._tenant(name, totals.get(name), waiting.get(name, 0)) for name in most]
        report = await self._report(since, tenants[0]) if query.tenant else None
        return answer(TenantList(tenants=tenants, report=report))

    async def _tenant(self, name: str, row: Row | None, mails: int) -> Tenant:
        limits, used = self._limits.limits, await self._limits.used(name)
        return Tenant(
            **_counts(row),
            tenant=name,
            rate=limits.rate(name),
            daily=limits.day(name),
            released=used.recipients,
            mails=mails,
        )

    async def _report(self, since: int, tenant: Tenant) -> TenantReport:
        days = await self._days.days(since, tenant.tenant)
        by_day = [TenantDay(**_counts(row), day=date_of(row["day"])) for row in days]
        return TenantReport(**tenant.model_dump(), by_day=by_day)


def _counts(row: Row | None) -> dict[str, int]:
    return {column: row[column] if row else 0 for column in COLUMNS}
