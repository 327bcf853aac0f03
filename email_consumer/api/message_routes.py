"""`POST /v1/messages`: responds once the mail is stored; it is published afterwards."""

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import tzinfo

from aiohttp import web

from email_consumer.api.batch import Batch, prepare
from email_consumer.api.key_limits import within_limits
from email_consumer.api.mail_store import MailStore
from email_consumer.api.new_messages import Accepted, NewMessages
from email_consumer.api.request_key import HEADER, request_key
from email_consumer.api.request_limiter import RequestLimiter
from email_consumer.api.request_reader import read_request
from email_consumer.core.metrics import Metrics
from email_consumer.core.unknown_keys import UnknownKeys
from email_consumer.message.keys import Reading
from email_consumer.web.grant import GRANT, Scope
from email_consumer.web.routing import JSON, ApiError, operation, read_json_bytes

_CONCURRENT = 2
_WAITING = 16


class MessageRoutes:
    def __init__(
        self,
        store: MailStore,
        metrics: Metrics,
        *,
        zone: tzinfo,
        max_payload: Callable[[], int],
        stored: Callable[[], None],
        default_sender: str = "",
    ) -> None:
        """`max_payload`: bytes that NATS accepts now; `stored` wakes the scheduler; `zone` is for naive times.

        `default_sender`: who sends mail that names no sender.
        """
        self._default_sender = default_sender
        self._store = store
        self._unknown_keys = UnknownKeys(metrics)
        self._zone = zone
        self._max_payload = max_payload
        self._stored = stored
        self._limiter = RequestLimiter(_CONCURRENT, _WAITING)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/messages", self.create)]

    @operation(
        "Submit mail: durably stored when this responds, sent when due and as the rate allows",
        body=NewMessages,
        answer=Accepted,
        headers={
            HEADER: "Repeating a request with the same key and body returns the same response and sends no second mail"
        },
        scope=Scope.SEND,
    )
    async def create(self, request: web.Request) -> web.Response:
        # Before taking a slot: a slow upload must not block other requests.
        body = await read_json_bytes(request)
        async with self._limiter.slot():
            began = time.monotonic()
            key = request_key(request, hashlib.sha256(body).digest())
            if key and (earlier := await self._store.answered(key)):
                return web.Response(text=earlier, content_type=JSON)
            reading = Reading(self._zone)
            new = await read_request(body, reading)
            self._unknown_keys.record(reading.unknown, "api")
            new = within_limits(new, request[GRANT].limits, self._default_sender)
            batch = await prepare(new, self._zone, self._max_payload())
            if not batch.messages:
                details = {"refused": [refusal.model_dump() for refusal in batch.refused]}
                raise ApiError(422, "no_recipient", "No recipient is a valid e-mail address.", details)
            text = await self._store.store(
                batch, lambda: _answer(batch, reading.unknown, time.monotonic() - began), key, request.headers
            )
        self._stored()
        return web.Response(text=text, content_type=JSON)


def _answer(batch: Batch, unknown: Iterable[str], seconds: float) -> str:
    success = len(batch.ids) - len(batch.refused)
    return Accepted(
        total=len(batch.ids),
        success=success,
        errors=len(batch.refused),
        duration_ms=round(seconds * 1000),
        scheduled=batch.scheduled,
        count=success,
        elapsed=f"{seconds * 1000:.3f}ms",
        merged=batch.merged,
        ids=batch.ids,
        refused=batch.refused,
        warnings=[f"{key}: unknown key, ignored" for key in sorted(unknown)],
    ).model_dump_json()
