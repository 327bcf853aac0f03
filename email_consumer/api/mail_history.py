"""`GET /v1/messages/{uuid}`: status and history of one mail."""

import time
from typing import Any

import orjson
from aiohttp import web

from email_consumer.api import statements
from email_consumer.api.unseen import Unseen
from email_consumer.message.lane import Lane
from email_consumer.runtime.counted import counted
from email_consumer.store.database import Database
from email_consumer.store.mail_state import MailState, read_state
from email_consumer.store.status import Status
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiError, ApiModel, answer, operation
from email_consumer.web.times import Moment

_LONGEST = 200
"""Maximum number of history entries; the newest are shown."""


class Attempt(ApiModel):
    """A failed attempt; a successful first attempt leaves no entry."""

    at: Moment
    outcome: str
    reason: str


class Result(ApiModel):
    """An SES event, an open or a click."""

    at: Moment
    kind: str
    recipient: str
    machine: bool
    """Probably caused by a program, not a person."""
    detail: dict[str, Any]


class Mail(ApiModel):
    uuid: str
    topic_id: str | None
    lane: Lane
    tenant: str | None
    email: str
    status: str
    state: MailState
    """What became of it for its recipient."""
    reason: str | None
    """Of a bounce, complaint, delay or rejection, as SES reports it; otherwise the error."""
    subject: str | None
    in_doubt: bool
    """SES may or may not have accepted it."""
    error: str | None
    attempts: int
    message_id: str | None
    source: str
    scheduled_at: Moment | None
    expires_at: Moment | None
    created_at: Moment
    updated_at: Moment
    finished_at: Moment | None
    history: list[Attempt]
    results: list[Result]


class MailHistory:
    def __init__(self, database: Database, unseen: Unseen) -> None:
        self._database = database
        self._unseen = unseen

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/messages/{uuid:[^/]+}", self.show)]

    @operation("One mail's status and history", answer=Mail, scope=Scope.READ)
    async def show(self, request: web.Request) -> web.Response:
        uuid = request.match_info["uuid"]
        # Before the mail: its state includes at least what is listed.
        attempts = await self._database.fetch(statements.ATTEMPTS, (uuid, _LONGEST))
        results = await self._database.fetch(statements.RESULTS, (uuid, _LONGEST))
        found = await self._database.fetch(statements.MAIL, (uuid,))
        if not found:
            raise await self._not_found()
        row, known = dict(found[0]), read_state(found[0], time.time())
        return answer(
            Mail.model_validate(
                row
                | {
                    "lane": row["lane"] or Lane.BULK,  # an earlier version did not record it
                    "status": Status(row["status"]).name.title(),
                    "state": known.state,
                    "reason": known.reason,
                    "history": [_attempt(*line) for line in reversed(attempts)],
                    "results": [_result(*line) for line in reversed(results)],
                }
            )
        )

    async def _not_found(self) -> ApiError:
        """Says where the mail could be."""
        waiting = await self._unseen()
        text = "No mail with this uuid is known. Mail from NATS or SQS is known once a worker has claimed it; "
        where = "the queue does not respond" if waiting is None else f"{counted(waiting, 'mail')} waiting in the queue"
        return ApiError(404, "not_found", f"{text}{where}.", {"waiting": waiting})


def _attempt(at: float, outcome: str, reason: str) -> Attempt:
    return Attempt(at=at, outcome=outcome, reason=reason)


def _result(at: float, kind: str, recipient: str, machine: int, raw: str) -> Result:
    return Result(at=at, kind=kind, recipient=recipient, machine=bool(machine), detail=orjson.loads(raw))
