"""The routes of Resend's API for sending, so that its SDKs work with this program; see docs/resend.md."""

import hashlib
import sqlite3
import time
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

import orjson
from aiohttp import web

from email_consumer.api.batch import Batch, prepare
from email_consumer.api.key_limits import within_limits
from email_consumer.api.mail_store import MailStore
from email_consumer.api.new_messages import MAX_ELEMENTS, NewMessage, NewMessages
from email_consumer.api.request_key import request_key
from email_consumer.api.request_limiter import RequestLimiter
from email_consumer.api.resend.errors import invalid, respond
from email_consumer.api.resend.messages import in_their_names, refused, to_message
from email_consumer.api.resend.view import content_of, shown
from email_consumer.api.scheduled_mail import ScheduledMail
from email_consumer.message.keys import Reading
from email_consumer.message.lane import Lane
from email_consumer.message.times import parse_time
from email_consumer.message.wire_format import TooManyElementsError, parse_json
from email_consumer.web.audit import forbidden
from email_consumer.web.grant import GRANT, Scope
from email_consumer.web.routing import JSON, ApiError, operation, read_json_bytes

_MOST = 100
"""Mails in a batch, as Resend has it."""
_CONCURRENT, _WAITING = 2, 16
_PERMISSIVE = "permissive"
_THEIRS: dict[str, Any] = {"documented": False, "respond": respond}


class ResendRoutes:
    def __init__(
        self,
        store: MailStore,
        scheduled: ScheduledMail,
        *,
        zone: tzinfo,
        max_payload: Callable[[], int],
        stored: Callable[[], None],
        default_sender: str,
    ) -> None:
        """`max_payload`: bytes that NATS accepts now; `stored` wakes the scheduler; `zone` is for naive times."""
        self._store = store
        self._scheduled = scheduled
        self._zone = zone
        self._max_payload = max_payload
        self._stored = stored
        self._default_sender = default_sender
        self._limiter = RequestLimiter(_CONCURRENT, _WAITING)

    def routes(self) -> list[web.RouteDef]:
        one = "/emails/{id:[^/]+}"
        return [
            web.post("/emails", self.send),
            web.post("/emails/batch", self.send_batch),
            web.get(one, self.show),
            web.patch(one, self.move),
            web.post(f"{one}/cancel", self.cancel),
        ]

    @operation("Send an email", scope=Scope.SEND, **_THEIRS)
    async def send(self, request: web.Request) -> web.Response:
        async def take(given: object, request: web.Request) -> tuple[Batch, Callable[[], str]]:
            batch = await self._prepare([to_message(given, Reading(self._zone))], request)
            if batch.refused:
                raise refused(batch)
            return batch, lambda: _json({"id": batch.ids[0]})

        return await self._accept(request, take)

    @operation("Send several emails", scope=Scope.SEND, **_THEIRS)
    async def send_batch(self, request: web.Request) -> web.Response:
        permissive = request.headers.get("x-batch-validation") == _PERMISSIVE

        async def take(given: object, request: web.Request) -> tuple[Batch, Callable[[], str]]:
            if not isinstance(given, list) or not 1 <= len(given) <= _MOST:
                raise invalid(f"The body must be a list of 1 to {_MOST} emails.")
            batch, errors = Batch([], [], []), []
            for index, each in enumerate(given):
                try:
                    one = await self._prepare([to_message(each, Reading(self._zone))], request)
                    if one.refused:
                        raise refused(one)
                except ApiError as error:
                    if not permissive:
                        raise ApiError(error.status, error.code, f"Email {index}: {error}") from None
                    errors.append({"index": index, "message": str(error)})
                else:
                    batch.messages += one.messages
                    batch.ids += one.ids
            document: dict[str, object] = {"data": [{"id": each} for each in batch.ids]}
            return batch, lambda: _json(document | ({"errors": errors} if permissive else {}))

        return await self._accept(request, take)

    @operation("An email and its last event", scope=Scope.READ, **_THEIRS)
    async def show(self, request: web.Request) -> web.Response:
        return _answer(shown(await self._find(request), self._default_sender))

    @operation("Move a scheduled email to another time", scope=Scope.SEND, **_THEIRS)
    async def move(self, request: web.Request) -> web.Response:
        given = _parsed(await read_json_bytes(request))
        row = await self._find(request)
        text = (given.get("scheduled_at") or given.get("scheduledAt")) if isinstance(given, dict) else None
        try:
            moment = parse_time(text, self._zone)
        except ValueError as error:
            raise invalid(f"`scheduled_at` {error}.") from None
        if moment is None or moment.timestamp() <= time.time():
            raise invalid("`scheduled_at`: must be a time in the future, as ISO 8601.")
        if row["expires_at"] and row["expires_at"] <= moment.timestamp():
            raise invalid("`scheduled_at`: is after the email expires.")
        if not await self._scheduled.move(row["uuid"], moment.timestamp()):
            raise invalid("The email is not scheduled any more.")
        return _answer({"object": "email", "id": row["uuid"]})

    @operation("Cancel a scheduled email", scope=Scope.SEND, **_THEIRS)
    async def cancel(self, request: web.Request) -> web.Response:
        row = await self._find(request)
        if not await self._scheduled.cancel(row["uuid"]):
            raise invalid("The email is not scheduled any more.")
        return _answer({"object": "email", "id": row["uuid"]})

    async def _accept(self, request: web.Request, take: Any) -> web.Response:  # noqa: ANN401 - a local function
        """Store what `take` makes of the body, once for each Idempotency-Key."""
        body = await read_json_bytes(request)
        async with self._limiter.slot():
            key = request_key(request, hashlib.sha256(request.path.encode() + b"\0" + body).digest(), "resend")
            if key and (earlier := await self._store.answered(key)):
                return web.Response(text=earlier, content_type=JSON)
            batch, answer = await take(_parsed(body), request)
            text = await self._store.store(batch, answer, key, request.headers)
        self._stored()
        return web.Response(text=text, content_type=JSON)

    async def _prepare(self, messages: list[NewMessage], request: web.Request) -> Batch:
        new = within_limits(NewMessages(messages=messages), request[GRANT].limits, self._default_sender)
        lanes = [message.lane or Lane.TRANSACTIONAL for message in new.messages]
        messages = [
            message.model_copy(update={"lane": lane}) for message, lane in zip(new.messages, lanes, strict=True)
        ]
        try:
            return await prepare(new.model_copy(update={"messages": messages}), self._zone, self._max_payload())
        except ApiError as error:
            raise ApiError(error.status, error.code, in_their_names(str(error))) from None

    async def _find(self, request: web.Request) -> sqlite3.Row:
        """The mail, if the key may deal with it.

        Raises:
            ApiError: 404, there is no such mail; 403, it is beyond the limits of the key.
        """
        row = await self._scheduled.find(request.match_info["id"])
        if row is None:
            raise ApiError(404, "not_found", "Email not found.")
        limits = request[GRANT].limits
        sender = content_of(row).get("from_email") or self._default_sender
        own = limits.allow_topic(row["topic_id"]) and limits.allow_sender(sender)
        own = own and limits.lane in {None, row["lane"]} and limits.tenant in {None, row["tenant"]}
        if not own:
            raise forbidden("This email is beyond the limits of this API key.")
        return row


def _parsed(body: bytes) -> object:
    try:
        return parse_json(body, MAX_ELEMENTS)
    except TooManyElementsError as error:
        raise ApiError(413, "too_large", f"The body has {error}.") from None
    except ValueError as error:
        raise invalid(f"The body is {error}.") from None


def _json(document: object) -> str:
    return orjson.dumps(document).decode()


def _answer(document: object) -> web.Response:
    return web.Response(text=_json(document), content_type=JSON)
