"""The bodies of requests: read within a time and a size, and bounded in what they hold in memory together.

Strangers, for whom no key vouches, have room of their own. When it is used up, the one that has taken longest gives way:
what SNS and mail programs post arrives at once, so it is the others that wait.
"""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from email_consumer.web.errors import ApiError

_KNOWN_BYTES, _KNOWN_SECONDS = 64 * 2**20, 60.0
_STRANGERS_BYTES, _STRANGERS_SECONDS = 8 * 2**20, 10.0
_STRANGERS_AT_ONCE = 200


@dataclass(slots=True, eq=False)
class _Held:
    """What a request holds."""

    room: "Room"
    transport: asyncio.Transport | None
    size: int = 0


_HELD = web.RequestKey("held", _Held)


@dataclass(slots=True)
class Room:
    """For the bodies of one kind of caller."""

    most_bytes: int
    seconds: float
    """For a body to arrive in."""
    at_once: int | None = None
    """How many may be on their way; None: as many as there is room for."""
    taken: int = 0
    """Bytes."""
    reading: dict[_Held, None] = field(default_factory=dict)
    """Those on their way, the oldest first."""

    def begin(self, held: _Held) -> None:
        self.reading[held] = None
        if self.at_once is not None and len(self.reading) > self.at_once:
            self._send_away_oldest()

    def take(self, held: _Held, size: int) -> None:
        """So much more of it has come.

        Raises:
            ApiError: 503, there is no room left.
        """
        held.size += size
        self.taken += size
        while self.taken > self.most_bytes:
            if self.at_once is None or next(iter(self.reading), held) is held:
                raise ApiError(503, "busy", "Too much is being uploaded; try again.", headers={"Retry-After": "1"})
            self._send_away_oldest()

    def end(self, held: _Held) -> None:
        """It is read, or never will be."""
        self.reading.pop(held, None)

    def let_go(self, held: _Held) -> None:
        """Nobody needs it any more."""
        self.end(held)
        self.taken -= held.size
        held.size = 0

    def _send_away_oldest(self) -> None:
        oldest = next(iter(self.reading))
        self.let_go(oldest)
        if oldest.transport:
            oldest.transport.abort()


class Bodies:
    """Of one application."""

    def __init__(self, known: Room | None = None, strangers: Room | None = None) -> None:
        """`known` is for callers with a key, `strangers` for all others."""
        self.known = known or Room(_KNOWN_BYTES, _KNOWN_SECONDS)
        self.strangers = strangers or Room(_STRANGERS_BYTES, _STRANGERS_SECONDS, _STRANGERS_AT_ONCE)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What a request holds, it holds until it is answered."""
        try:
            return await handler(request)
        finally:
            if held := request.get(_HELD):
                held.room.let_go(held)
            if error := request.content.exception():
                # Its frames hold the request, which holds the error: a cycle that would wait for the garbage collector.
                error.__traceback__ = error.__context__ = None

    async def read(self, request: web.Request, *, at_most: int, known: bool) -> bytes:
        """The whole body.

        Raises:
            ApiError: 408 too slow, 413 too large, 400 broken off or badly framed, 503 no room.
        """
        if (request.content_length or 0) > at_most:
            raise _too_large(at_most)
        room = self.known if known else self.strangers
        held = request[_HELD] = _Held(room, request.transport)
        body = bytearray()
        room.begin(held)
        try:
            async with asyncio.timeout(room.seconds):
                while piece := await request.content.readany():
                    if len(body) + len(piece) > at_most:
                        raise _too_large(at_most)
                    room.take(held, len(piece))
                    body += piece
        except TimeoutError:
            raise ApiError(408, "too_slow", f"The body took more than {room.seconds:g} seconds.") from None
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            raise ApiError(400, "unreadable", "The body can't be read to its end.") from None
        finally:
            room.end(held)
        return bytes(body)


BODIES = web.AppKey("bodies", Bodies)


def _too_large(at_most: int) -> ApiError:
    return ApiError(413, "too_large", f"The body is larger than {at_most:,} bytes.")
