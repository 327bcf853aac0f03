"""`GET /v1/live`: streams the sampler's events while the viewer is connected and authorized."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from email_consumer.dashboard.sampler import Frame, Sampler
from email_consumer.web.api_keys import API_KEYS
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiError, operation

_MAX_VIEWERS = 200
_MAX_PUBLIC_VIEWERS = 100
"""Lower, so that public viewers can't lock out those with a key."""
_WRITE_TIMEOUT = 10.0
"""Seconds for a viewer to read what was written, so that a vanished connection does not count for ever."""
_EVENT_STREAM = "text/event-stream"


class LiveRoutes:
    def __init__(self, sampler: Sampler, *, public: bool) -> None:
        """`public` also serves the numbers, without any text, to everyone."""
        self._sampler = sampler
        self._public = public

    def routes(self) -> list[web.RouteDef]:
        # No HEAD: the response never ends.
        routes = [web.get("/v1/live", self.full, allow_head=False)]
        if self._public:
            routes.append(web.get("/v1/live/public", self.public, allow_head=False))
        return routes

    @operation("Live numbers, once a second, as server-sent events", answer_type=_EVENT_STREAM, scope=Scope.READ)
    async def full(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(
            request,
            lambda frame: frame.full,
            still_allowed=lambda: request.app[API_KEYS].grant(request) is not None,  # it may have been removed
            limit=_MAX_VIEWERS,
        )

    @operation("The same without any text", answer_type=_EVENT_STREAM, open_to_all=True)
    async def public(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(
            request, lambda frame: frame.public, still_allowed=lambda: True, limit=_MAX_PUBLIC_VIEWERS
        )

    async def _stream(
        self, request: web.Request, choose: Callable[[Frame], bytes], *, still_allowed: Callable[[], bool], limit: int
    ) -> web.StreamResponse:
        if self._sampler.viewers >= limit:
            raise ApiError(503, "too_many_viewers", f"The limit of {limit} viewers is reached.")
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})  # or nginx would buffer the events
        response.content_type = _EVENT_STREAM
        with self._sampler.viewer(), suppress(ConnectionError, TimeoutError):
            await response.prepare(request)
            await _write(response, b"retry: 1000\n" + self._sampler.history())
            while (frame := await self._sampler.next()) is not None and still_allowed():
                await _write(response, choose(frame))
        return response


async def _write(response: web.StreamResponse, event: bytes) -> None:
    async with asyncio.timeout(_WRITE_TIMEOUT):
        await response.write(event)
