"""The mails of which nobody knows whether SES accepted them."""

from datetime import UTC, datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.feedback import statements
from email_consumer.http import ApiModel, answer, operation, read_query
from email_consumer.store.database import Database


class InDoubtQuery(ApiModel):
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """What the page before gave as `next`."""


class MailInDoubt(ApiModel):
    uuid: str
    email: str
    topic_id: str | None
    attempts: int
    """Attempts that are known to have failed before."""
    claimed_at: datetime
    """When the attempt began whose end nobody knows."""
    reason: str


class MailsInDoubt(ApiModel):
    mails: list[MailInDoubt]
    next: int | None
    """What to give as `after` for the next page; null on the last one."""


class InDoubtRoutes:
    """SES's own event, or after a grace the policy, settles each of them; there is nothing to be done by hand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/in-doubt", self.list, allow_head=False)]

    @operation("Mails that SES may or may not have accepted", query=InDoubtQuery, answer=MailsInDoubt)
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, InDoubtQuery)
        rows = await self._database.fetch(statements.PAGE_IN_DOUBT, {"after": query.after, "limit": query.limit})
        mails = [
            MailInDoubt(
                uuid=row["uuid"],
                email=row["email"],
                topic_id=row["topic_id"],
                attempts=row["attempts"],
                claimed_at=datetime.fromtimestamp(row["claimed_at"] or 0, UTC),
                reason=row["error"] or "",
            )
            for row in rows
        ]
        return answer(MailsInDoubt(mails=mails, next=rows[-1]["id"] if len(rows) == query.limit else None))
