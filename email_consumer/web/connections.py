"""Connections to the HTTP side, and what strangers can do with them: open some, hold them for some time, send so much.

What bounds them here is what aiohttp leaves open: how many there are, how long the head of a request may take, how much it
may hold, and how long an answer may wait to be taken. The bodies of requests have bounds of their own (`http.bodies`).
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
"""Bytes that are taken from a connection at a time, and, twice, what waits in it for its handler."""
_AHEAD = 2
"""Requests that are read before the one before them is answered. Each may hold as much as a head may."""
_SWEEP = 1.0
_CONTINUE = "100-continue"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, and bytes."""

    head: float = 10.0
    """For the head of a request, from its first byte, or from the connection's beginning."""
    idle: float = 75.0
    """Between two requests: longer than the minute after which proxies let go of a connection of their own accord."""
    rest: float = 2.0
    """For the rest of a request that is answered already: who is cut off while still sending may miss the answer."""
    writing: float = 30.0
    """For the client to take what is written."""
    head_bytes: int = 2**15
    rest_bytes: int = 2**20


class Connections:
    """All that are open. Where there are too many, the one that has waited longest for its client gives way."""

    def __init__(self, most: int, metrics: Metrics, patience: Patience | None = None) -> None:
        """`most` may be open; `metrics` count those that are sent away."""
        self.most = most
        self.metrics = metrics
        self.patience = patience or Patience()
        self._open: dict[Connection, None] = {}
        self._waiting: dict[Connection, None] = {}
        """Of these, whose turn it is; the longest first."""
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: "Connection") -> None:
        if len(self._open) >= self.most:
            longest = next(iter(self._waiting), None)
            if longest is None:
                connection.send_away()
                return
            longest.send_away()
        self._open[connection] = None
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP, self._sweep)

    def forget(self, connection: "Connection") -> None:
        self._open.pop(connection, None)
        self._waiting.pop(connection, None)

    def waits(self, connection: "Connection", *, for_client: bool) -> None:
        self._waiting.pop(connection, None)
        if for_client and connection in self._open:
            self._waiting[connection] = None

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in [each for each in self._open if each.overdue(now)]:
            connection.send_away()
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP, self._sweep) if self._open else None


class _Handler(RequestHandler):
    """aiohttp's, with less ahead of the request that is being handled, and with errors of our shape."""

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
        """How many heads it has read."""
        return self._request_count

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """While a request is handled, it isn't the client that is waited for; the application bounds that itself."""
        with self._connection.handling(request):
            expected = request.headers.get("Expect") or _CONTINUE
            if expected.lower() != _CONTINUE:  # aiohttp would refuse it too, but before any of our middlewares
                return ApiError(417, "unknown_expectation", f"Nothing but {_CONTINUE} can be expected.").response()
            return await self._application(request)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp answers in our place."""
        super().handle_error(request, status, exc, message)
        if isinstance(exc, LineTooLong):
            error = ApiError(status, "head_too_large", "The request line or a header is too long.")
        elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
            error = ApiError(status, "not_http", "The request is no HTTP/1.1.")
        else:
            error = ApiError(500, "internal", "An error of this program; its log says more.")
        response = error.response()
        response.force_close()
        return response


class Connection(asyncio.BufferedProtocol):
    """One of them: reads in small pieces, and hands these to aiohttp."""

    _piece = bytearray(_READ)
    """Of all connections: what is read into it is handed on before anything else is read."""

    def __init__(self, connections: Connections, manager: web.Server, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        options |= {"read_bufsize": _READ, "lingering_time": connections.patience.rest}
        self._connections = connections
        self._patience = connections.patience
        self._handler = _Handler(manager, self, **options)
        self._transport: asyncio.Transport | None = None
        self._deadline: float | None = None
        self._writing_deadline: float | None = None
        self._room: float = 0
        """Bytes that may come until the head of a request is complete, or the rest of one that is answered."""
        self._idle = True
        self._handling = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class
        self._expect(self._patience.head, self._patience.head_bytes)
        self._handler.connection_made(transport)
        self._connections.admit(self)
        self._connections.waits(self, for_client=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.forget(self)
        self._handler.connection_lost(exc)
        self._transport = None
        # A cycle: it would wait for the garbage collector, which seldom runs, and hold what it has read.
        del self._handler

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        before = self._handler.requests
        if not self._handling:
            if self._idle:
                self._expect(self._patience.head, self._patience.head_bytes)
                self._connections.waits(self, for_client=True)
                self._idle = False
            self._room -= nbytes
            if self._room < 0:
                self.send_away()
                return
        self._handler.data_received(bytes(memoryview(self._piece)[:nbytes]))
        if self._handler.requests != before:
            self._room = math.inf  # from here on it is a body, up to the handler, which begins in a moment

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._writing_deadline = asyncio.get_running_loop().time() + self._patience.writing
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._writing_deadline = None
        self._handler.resume_writing()

    @contextmanager
    def handling(self, request: web.BaseRequest) -> Iterator[None]:
        """The block handles a request whose head came on this connection."""
        self._handling += 1
        self._deadline = None
        self._connections.waits(self, for_client=False)
        try:
            yield
        finally:
            self._handling -= 1
            self._idle = request.content.is_eof()
            if self._idle:
                self._expect(self._patience.idle, 0)
            else:
                self._expect(self._patience.rest + _SWEEP, self._patience.rest_bytes)
            self._connections.waits(self, for_client=True)

    def overdue(self, now: float) -> bool:
        return any(due is not None and due < now for due in (self._deadline, self._writing_deadline))

    def send_away(self) -> None:
        """Close it at once, whatever is under way."""
        self._connections.metrics.connections_sent_away += 1
        self._connections.forget(self)
        if self._transport:
            self._transport.abort()

    def _expect(self, seconds: float, room: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._room = room
