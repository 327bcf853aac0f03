"""`GET /v1/in-doubt`: mail that SES may or may not have accepted."""

from aiohttp import web

from email_consumer.feedback import statements
from email_consumer.store.database import Database
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, NumberedPageQuery, PageAnswer, answer, next_page, operation, read_query
from email_consumer.web.times import Moment


class MailInDoubt(ApiModel):
    uuid: str
    email: str
    topic_id: str | None
    attempts: int
    """Earlier failed attempts."""
    claimed_at: Moment
    """When the attempt with unknown outcome began."""
    reason: str


class MailInDoubtPage(PageAnswer):
    mails: list[MailInDoubt]


class InDoubtRoutes:
    """Each is settled by an SES event, or by IN_DOUBT after IN_DOUBT_GRACE; no manual action is needed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/in-doubt", self.list)]

    @operation(
        "Mails that SES may or may not have accepted", query=NumberedPageQuery, answer=MailInDoubtPage, scope=Scope.READ
    )
    async def list(self, request: web.Request) -> web.Response:
        query = read_query(request, NumberedPageQuery)
        place = {"after": int(query.after or 0), "limit": query.limit}
        rows = await self._database.fetch(statements.PAGE_IN_DOUBT, place)
        mails = [
            MailInDoubt(
                uuid=row["uuid"],
                email=row["email"],
                topic_id=row["topic_id"],
                attempts=row["attempts"],
                claimed_at=row["claimed_at"] or 0,
                reason=row["error"] or "",
            )
            for row in rows
        ]
        return answer(MailInDoubtPage(mails=mails, next=next_page(rows, query, lambda row: row["id"])))
