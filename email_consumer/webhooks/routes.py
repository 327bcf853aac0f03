"""`/v1/webhooks`: endpoints, their secrets, and their deliveries."""

from collections.abc import Callable
from typing import Annotated, Literal

import orjson
from aiohttp import web
from pydantic import Field

from email_consumer.core.words import find_word
from email_consumer.message.lane import Lane
from email_consumer.outbox.document import TYPES
from email_consumer.web.audit import audit_target
from email_consumer.web.grant import ANY_KEY, Scope
from email_consumer.web.routing import (
    ApiError,
    ApiModel,
    NumberedPageQuery,
    PageAnswer,
    RequestModel,
    answer,
    next_page,
    operation,
    read_body,
    read_query,
)
from email_consumer.web.times import Moment
from email_consumer.webhooks import statements
from email_consumer.webhooks.endpoint import Endpoint, Format, test_event
from email_consumer.webhooks.endpoints import Endpoints, TooManyEndpointsError
from email_consumer.webhooks.sender import WebhookSender

_FROM_THE_END = 2**62

Name = Annotated[str, Field(min_length=1, max_length=256)]


class NewWebhook(RequestModel):
    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    """HTTPS, with a public host."""
    types: Annotated[list[str], Field(min_length=1, max_length=50)] | None = None
    """Types of events that are sent; without it: all."""
    topics: Annotated[list[Name], Field(min_length=1, max_length=1_000)] | None = None
    """Only events of these topics."""
    lane: Lane | None = None
    """Only events of this lane."""
    format: Format = "standard"
    """`resend`: events as Resend posts them, with its names and fields."""


class Webhook(ApiModel):
    id: str
    url: str
    types: list[str] | None
    topics: list[str] | None
    lane: str | None
    format: Format
    created_at: Moment
    waiting: int
    """Events that are not delivered yet."""
    failing_since: Moment | None
    """Since when no event could be delivered."""
    disabled_at: Moment | None
    """Since when nothing is sent; events wait."""
    disabled_reason: str | None

    @classmethod
    def of(cls, endpoint: Endpoint, waiting: int = 0) -> "Webhook":
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            types=None if endpoint.types is None else sorted(endpoint.types),
            topics=None if endpoint.topics is None else sorted(endpoint.topics),
            lane=endpoint.lane,
            format=endpoint.format,
            created_at=endpoint.created_at,
            waiting=waiting,
            failing_since=endpoint.failing_since,
            disabled_at=endpoint.disabled_at,
            disabled_reason=endpoint.disabled_reason,
        )


class WebhookWithSecret(Webhook):
    secret: str
    """Verifies signatures. Shown only here."""

    @classmethod
    def with_secret(cls, endpoint: Endpoint) -> "WebhookWithSecret":
        return cls(**Webhook.of(endpoint).model_dump(), secret=endpoint.secret)


class Webhooks(ApiModel):
    webhooks: list[Webhook]


class TestResult(ApiModel):
    __test__ = False  # not pytest's

    delivered: bool
    error: str | None


class DeliveriesQuery(NumberedPageQuery):
    state: Literal["waiting", "delivered", "failed"] | None = None
    """Only these; `failed` were given up."""


class WebhookDelivery(ApiModel):
    id: int
    event_id: str
    type: str
    attempts: int
    next_at: Moment | None
    """When it is attempted next; null if it was delivered, or given up."""
    delivered_at: Moment | None
    error: str | None
    """Of the last attempt."""
    created_at: Moment


class WebhookDeliveries(PageAnswer):
    deliveries: list[WebhookDelivery]


class Resend(RequestModel):
    since: Annotated[float, Field(ge=0)] = 0
    """Unix seconds: only events recorded since then."""
    delivery: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    """Only this delivery."""
    delivered: bool = False
    """Also what was delivered already."""


class Resent(ApiModel):
    deliveries: int


class NoWebhookRoutes:
    """Where EVENTS_OUT does not ask for webhooks: says so, in place of a bare 404."""

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", r"/v1/webhooks{rest:(/.*)?}", self.refuse)]

    @operation("Webhooks are off", scope=ANY_KEY, documented=False)
    async def refuse(self, _request: web.Request) -> web.Response:
        raise ApiError(404, "webhooks_off", "Webhooks are off. Set EVENTS_OUT=webhooks (or nats,webhooks) and restart.")


class WebhookRoutes:
    """Changes are effective at once."""

    def __init__(self, endpoints: Endpoints, sender: WebhookSender, due: Callable[[set[str]], None]) -> None:
        """`due` is called with the ids of endpoints that have deliveries to be made now."""
        self._endpoints = endpoints
        self._sender = sender
        self._due = due

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/webhooks/{id}"
        return [
            web.get("/v1/webhooks", self.list),
            web.post("/v1/webhooks", self.add),
            web.get(one, self.get),
            web.delete(one, self.remove),
            web.post(f"{one}/test", self.test),
            web.post(f"{one}/rotate", self.rotate),
            web.post(f"{one}/enable", self.enable),
            web.get(f"{one}/deliveries", self.deliveries),
            web.post(f"{one}/resend", self.resend),
        ]

    @operation("Webhook endpoints", answer=Webhooks, scope=Scope.READ)
    async def list(self, _request: web.Request) -> web.Response:
        waiting = await self._waiting()
        return answer(Webhooks(webhooks=[Webhook.of(each, waiting.get(each.id, 0)) for each in self._endpoints.all]))

    @operation(
        "Add a webhook endpoint; the answer contains its secret",
        body=NewWebhook,
        answer=WebhookWithSecret,
        scope=Scope.ADMIN,
    )
    async def add(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewWebhook)
        types = None if new.types is None else frozenset(map(_type, new.types))
        topics = None if new.topics is None else frozenset(new.topics)
        try:
            endpoint = await self._endpoints.add(new.url, types, topics, new.lane, new.format)
        except ValueError as error:
            raise ApiError(422, "invalid", str(error), {"fields": ["url"]}) from None
        except TooManyEndpointsError as error:
            raise ApiError(409, "too_many", str(error)) from None
        audit_target(request, endpoint.id)
        return answer(WebhookWithSecret.with_secret(endpoint))

    @operation("A webhook endpoint", answer=Webhook, scope=Scope.READ)
    async def get(self, request: web.Request) -> web.Response:
        endpoint = self._find(request)
        return answer(Webhook.of(endpoint, (await self._waiting()).get(endpoint.id, 0)))

    @operation("Remove a webhook endpoint and its deliveries", answer=Webhook, scope=Scope.ADMIN)
    async def remove(self, request: web.Request) -> web.Response:
        endpoint = self._find(request)
        await self._endpoints.remove(endpoint)
        return answer(Webhook.of(endpoint))

    @operation("Send a test event now", answer=TestResult, scope=Scope.ADMIN)
    async def test(self, request: web.Request) -> web.Response:
        event = test_event()
        found = await self._sender.send(self._find(request), event["id"], orjson.dumps(event).decode())
        return answer(TestResult(delivered=not found.error, error=found.error or None))

    @operation(
        "Give an endpoint a new secret; the former one stays valid for a day",
        answer=WebhookWithSecret,
        scope=Scope.ADMIN,
    )
    async def rotate(self, request: web.Request) -> web.Response:
        return answer(WebhookWithSecret.with_secret(await self._endpoints.rotate(self._find(request))))

    @operation("Enable an endpoint that was disabled; what waits is sent", answer=Webhook, scope=Scope.ADMIN)
    async def enable(self, request: web.Request) -> web.Response:
        endpoint = self._find(request)
        await self._endpoints.enable(endpoint)
        return answer(Webhook.of(self._find(request), (await self._waiting()).get(endpoint.id, 0)))

    @operation(
        "Deliveries of an endpoint, newest first", query=DeliveriesQuery, answer=WebhookDeliveries, scope=Scope.READ
    )
    async def deliveries(self, request: web.Request) -> web.Response:
        query, endpoint = read_query(request, DeliveriesQuery), self._find(request)
        before = int(query.after) if query.after else _FROM_THE_END
        parameters = {"endpoint": endpoint.id, "before": before, "state": query.state, "limit": query.limit}
        rows = await self._endpoints.database.fetch(statements.DELIVERIES, parameters)
        found = [WebhookDelivery(**{name: row[name] for name in WebhookDelivery.model_fields}) for row in rows]
        return answer(WebhookDeliveries(deliveries=found, next=next_page(found, query, lambda each: each.id)))

    @operation("Send events again", body=Resend, answer=Resent, scope=Scope.ADMIN)
    async def resend(self, request: web.Request) -> web.Response:
        wanted, endpoint = await read_body(request, Resend), self._find(request)
        count = await self._endpoints.resend(endpoint, wanted.since, wanted.delivery, delivered=wanted.delivered)
        self._due({endpoint.id})
        return answer(Resent(deliveries=count))

    def _find(self, request: web.Request) -> Endpoint:
        endpoint = self._endpoints.get(request.match_info["id"])
        if endpoint is None:
            raise ApiError(404, "not_found", "There is no such webhook endpoint.")
        return endpoint

    async def _waiting(self) -> dict[str, int]:
        rows = await self._endpoints.database.fetch(statements.WAITING)
        return {row["endpoint_id"]: row["waiting"] for row in rows}


def _type(text: str) -> str:
    if (found := find_word(text, TYPES)) is None:
        message = f"types: {text!r:.80} is not a type of event; these are: {', '.join(TYPES)}"
        raise ApiError(422, "invalid", message, {"fields": ["types"]})
    return found
