"""`GET /v1/domains`: what became of mail by its recipients' domain."""

from sqlite3 import Row
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.api.days import date_of, first_of
from email_consumer.store.domain_days import DomainDays
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, RequestModel, answer, operation, read_query

_WORDS = {
    "InternalFailure": "a fault at SES",
    "General": "the recipient's server deferred it",
    "MailboxFull": "the mailbox is full",
    "SpamDetected": "the recipient's server has seen much unsolicited mail from us",
    "RecipientServerError": "the recipient's server does not work as it should",
    "IPFailure": "the recipient's server blocks or slows down the IP address",
    "TransientCommunicationFailure": "the connection to the recipient's server failed",
    "BYOIPHostNameLookupUnavailable": "SES could not look up the host name of our IP address",
    "SendingDeferral": "SES defers it to protect our reputation",
    "Undetermined": "SES could not tell why",
}
"""Of SES's delayTypes, https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html."""


class DomainsQuery(RequestModel):
    days: Annotated[int, Field(ge=1, le=400)] = 7
    """Including today; days are those of UTC."""
    domain: Annotated[str, Field(max_length=255)] = ""
    """Only this domain, as lists of mail show it."""
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class DomainCounts(ApiModel):
    """In recipients, copies (cc and bcc) included."""

    delivered: int
    delays: int
    """Reports of SES that mail is delayed; mail that is delayed for long counts several times."""
    bounced: int
    """For good."""
    soft_bounced: int
    complained: int


class DomainDay(DomainCounts):
    day: str
    """Such as 2026-11-28."""


class DelayReason(ApiModel):
    reason: str
    """SES's delayType."""
    text: str
    delays: int


class DomainTotals(DomainCounts):
    domain: str


class DomainReport(DomainTotals):
    by_day: list[DomainDay]
    """In order; days without mail are missing."""
    delay_reasons: list[DelayReason]
    """The most frequent first."""


class Domains(ApiModel):
    domains: list[DomainTotals]
    """Those with the most mail first."""
    report: DomainReport | None
    """Of the domain that was asked for."""


class DomainRoutes:
    def __init__(self, days: DomainDays) -> None:
        self._days = days

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/domains", self.show)]

    @operation("What became of mail by its recipients' domain", query=DomainsQuery, answer=Domains, scope=Scope.READ)
    async def show(self, request: web.Request) -> web.Response:
        query = read_query(request, DomainsQuery)
        since = first_of(query.days)
        wanted = query.domain.strip().lower().removeprefix("@") or None
        await self._days.update()
        rows = await self._days.domains(since, query.limit, wanted)
        domains = [DomainTotals(**_counts(row), domain=row["domain"]) for row in rows]
        report = await self._report(since, domains[0]) if wanted and domains else None
        return answer(Domains(domains=domains, report=report))

    async def _report(self, since: int, totals: DomainTotals) -> DomainReport:
        days = await self._days.days(since, totals.domain)
        reasons = await self._days.reasons(since, totals.domain)
        return DomainReport(
            **totals.model_dump(),
            by_day=[DomainDay(**_counts(row), day=date_of(row["day"])) for row in days],
            delay_reasons=[
                DelayReason(reason=reason, text=_WORDS.get(reason, reason or "SES names no reason"), delays=delays)
                for reason, delays in reasons
            ],
        )


def _counts(row: Row) -> dict[str, int]:
    return {name: row[name] for name in DomainCounts.model_fields}
