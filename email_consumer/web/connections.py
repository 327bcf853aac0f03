"""Limits on HTTP connections that aiohttp does not offer.

They bound the number of connections, the time and size of a request's head, and how long a response may wait for the
client to read it. Request bodies are limited in `web.bodies`.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from email_consumer.core.metrics import Metrics
from email_consumer.web.routing import ApiError

_READ = 2**14
"""Bytes read from a connection at a time; twice that may wait for the handler."""
_AHEAD = 2
"""Pipelined requests that are read ahead. Each may use as much memory as a head may."""
_SWEEP = 1.0
_CONTINUE = "100-continue"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """In seconds and bytes."""

    head: float = 10.0
    """For a request's head, from its first byte or from the start of the connection."""
    idle: float = 75.0
    """Between two requests: longer than the minute after which proxies close a connection themselves."""
    rest: float = 2.0
    """For the rest of a request that was already answered: a client cut off while sending may miss the response."""
    writing: float = 30.0
    """For the client to read what was written."""
    head_bytes: int = 2**15
    rest_bytes: int = 2**20


class Connections:
    """All open connections. Beyond the limit, the one that has waited longest for its client is closed."""

    def __init__(self, maximum: int, metrics: Metrics, limits: ConnectionLimits | None = None) -> None:
        """`maximum` may be open; `metrics` counts those that are evicted."""
        self.maximum = maximum
        self.metrics = metrics
        self.limits = limits or ConnectionLimits()
        self._open: dict[Connection, None] = {}
        self._waiting: dict[Connection, None] = {}
        """Of these, the ones that wait for their client, longest first."""
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: "Connection") -> None:
        if len(self._open) >= self.maximum:
            longest = next(iter(self._waiting), None)
            if longest is None:
                connection.evict()
                return
            longest.evict()
        self._open[connection] = None
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP, self._sweep)

    def forget(self, connection: "Connection") -> None:
        self._open.pop(connection, None)
        self._waiting.pop(connection, None)

    def set_waiting(self, connection: "Connection", *, for_client: bool) -> None:
        self._waiting.pop(connection, None)
        if for_client and connection in self._open:
            self._waiting[connection] = None

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in [each for each in self._open if each.overdue(now)]:
            connection.evict()
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP, self._sweep) if self._open else None


class _Handler(RequestHandler):
    """aiohttp's, reading less ahead of the request that is being handled, and with our shape of errors."""

    __slots__ = ("_application", "_connection")

    def __init__(self, manager: web.Server, connection: "Connection", **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        loop = asyncio.get_running_loop()
        super().__init__(manager, loop=loop, **options)
        self._connection = connection
        self._application, self._request_handler = manager.request_handler, self._handle
        self._max_msg_queue_size, self._msg_queue_resume_size = _AHEAD, _AHEAD - 1
        self._parser = HttpRequestParser(
            self,
            loop,
            options["read_bufsize"],
            max_headers=options["max_headers"],
            payload_exception=web.RequestPayloadError,
            auto_decompress=options["auto_decompress"],
            max_msg_queue_size=_AHEAD,
        )

    @property
    def requests(self) -> int:
        """Heads read so far."""
        return self._request_count

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """While a request is handled, the client is not the one that is slow; the application limits that itself."""
        with self._connection.handling(request):
            expected = request.headers.get("Expect") or _CONTINUE
            if expected.lower() != _CONTINUE:  # aiohttp refuses it too, but before our middlewares run
                return ApiError(
                    417, "unknown_expectation", f"The only supported Expect header is {_CONTINUE}."
                ).response()
            return await self._application(request)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Our shape for the errors that aiohttp itself answers."""
        super().handle_error(request, status, exc, message)
        if isinstance(exc, LineTooLong):
            error = ApiError(status, "head_too_large", "The request line or a header is too long.")
        elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
            error = ApiError(status, "not_http", "Not a valid HTTP/1.1 request.")
        else:
            error = ApiError(500, "internal", "Internal error; see the server log.")
        response = error.response()
        response.force_close()
        return response


class Connection(asyncio.BufferedProtocol):
    """One connection: reads in small pieces and passes them to aiohttp."""

    _piece = bytearray(_READ)
    """Shared by all connections: what is read into it is passed on before anything else is read."""

    def __init__(self, connections: Connections, manager: web.Server, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        options |= {"read_bufsize": _READ, "lingering_time": connections.limits.rest}
        self._connections = connections
        self._limits = connections.limits
        self._handler = _Handler(manager, self, **options)
        self._transport: asyncio.Transport | None = None
        self._deadline: float | None = None
        self._writing_deadline: float | None = None
        self._remaining: float = 0
        """Bytes that may still arrive until the head is complete, or the rest of an answered request."""
        self._idle = True
        self._handling = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class does not inherit from it
        self._set_deadline(self._limits.head, self._limits.head_bytes)
        self._handler.connection_made(transport)
        self._connections.admit(self)
        self._connections.set_waiting(self, for_client=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.forget(self)
        self._handler.connection_lost(exc)
        self._transport = None
        # A reference cycle: it would keep what was read until the garbage collector runs, which is seldom.
        del self._handler

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        before = self._handler.requests
        if not self._handling:
            if self._idle:
                self._set_deadline(self._limits.head, self._limits.head_bytes)
                self._connections.set_waiting(self, for_client=True)
                self._idle = False
            self._remaining -= nbytes
            if self._remaining < 0:
                self.evict()
                return
        self._handler.data_received(bytes(memoryview(self._piece)[:nbytes]))
        if self._handler.requests != before:
            self._remaining = math.inf  # from here on it is a body, limited by the handler, which is about to start

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._writing_deadline = asyncio.get_running_loop().time() + self._limits.writing
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._writing_deadline = None
        self._handler.resume_writing()

    @contextmanager
    def handling(self, request: web.BaseRequest) -> Iterator[None]:
        """For the block that handles a request of this connection."""
        self._handling += 1
        self._deadline = None
        self._connections.set_waiting(self, for_client=False)
        try:
            yield
        finally:
            self._handling -= 1
            self._idle = request.content.is_eof()
            if self._idle:
                self._set_deadline(self._limits.idle, 0)
            else:
                self._set_deadline(self._limits.rest + _SWEEP, self._limits.rest_bytes)
            self._connections.set_waiting(self, for_client=True)

    def overdue(self, now: float) -> bool:
        return any(due is not None and due < now for due in (self._deadline, self._writing_deadline))

    def evict(self) -> None:
        """Close it at once, whatever is in progress."""
        self._connections.metrics.connections_evicted += 1
        self._connections.forget(self)
        if self._transport:
            self._transport.abort()

    def _set_deadline(self, seconds: float, remaining: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._remaining = remaining
