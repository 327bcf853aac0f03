"""Request bodies: limits on time and size of each, and on the memory they use together.

Unauthenticated requests have a separate budget. When it is exhausted, the oldest upload is aborted: SNS and mail clients
send their bodies in one piece, so it is an abusive upload that has been pending longest.
"""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from email_consumer.web.errors import ApiError

_AUTHENTICATED_BYTES, _AUTHENTICATED_SECONDS = 64 * 2**20, 60.0
_ANONYMOUS_BYTES, _ANONYMOUS_SECONDS = 8 * 2**20, 10.0
_ANONYMOUS_UPLOADS = 200


@dataclass(slots=True, eq=False)
class _Upload:
    """The body of one request."""

    budget: "BodyBudget"
    transport: asyncio.Transport | None
    size: int = 0


_UPLOAD = web.RequestKey("upload", _Upload)


@dataclass(slots=True)
class BodyBudget:
    """Limits for the bodies of one kind of client."""

    max_bytes: int
    """Of all bodies together."""
    seconds: float
    """For one body to arrive."""
    max_uploads: int | None = None
    """Concurrent uploads; None is unlimited. With a limit, the oldest upload is aborted to make room."""
    used: int = 0
    """Bytes."""
    uploads: dict[_Upload, None] = field(default_factory=dict)
    """In progress, oldest first."""

    def begin(self, upload: _Upload) -> None:
        self.uploads[upload] = None
        if self.max_uploads is not None and len(self.uploads) > self.max_uploads:
            self._abort_oldest()

    def take(self, upload: _Upload, size: int) -> None:
        """Account for `size` more bytes.

        Raises:
            ApiError: 503, the budget is exhausted.
        """
        upload.size += size
        self.used += size
        while self.used > self.max_bytes:
            if self.max_uploads is None or next(iter(self.uploads), upload) is upload:
                raise ApiError(503, "busy", "Too many uploads; try again.", headers={"Retry-After": "1"})
            self._abort_oldest()

    def end(self, upload: _Upload) -> None:
        """The upload is complete, or failed."""
        self.uploads.pop(upload, None)

    def release(self, upload: _Upload) -> None:
        """Its memory is no longer needed."""
        self.end(upload)
        self.used -= upload.size
        upload.size = 0

    def _abort_oldest(self) -> None:
        oldest = next(iter(self.uploads))
        self.release(oldest)
        if oldest.transport:
            oldest.transport.abort()


class RequestBodies:
    """Of one application."""

    def __init__(self, authenticated: BodyBudget | None = None, anonymous: BodyBudget | None = None) -> None:
        """`authenticated` is for clients with a key, `anonymous` for all others."""
        self.authenticated = authenticated or BodyBudget(_AUTHENTICATED_BYTES, _AUTHENTICATED_SECONDS)
        self.anonymous = anonymous or BodyBudget(_ANONYMOUS_BYTES, _ANONYMOUS_SECONDS, _ANONYMOUS_UPLOADS)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A body counts against its budget until the request is answered."""
        try:
            return await handler(request)
        finally:
            if upload := request.get(_UPLOAD):
                upload.budget.release(upload)
            if error := request.content.exception():
                # Its frames hold the request, which holds the error: a reference cycle that would wait for the garbage collector.
                error.__traceback__ = error.__context__ = None

    async def read(self, request: web.Request, *, at_most: int, authenticated: bool) -> bytes:
        """The whole body.

        Raises:
            ApiError: 408 too slow, 413 too large, 400 truncated or badly framed, 503 budget exhausted.
        """
        if (request.content_length or 0) > at_most:
            raise _too_large(at_most)
        budget = self.authenticated if authenticated else self.anonymous
        upload = request[_UPLOAD] = _Upload(budget, request.transport)
        body = bytearray()
        budget.begin(upload)
        try:
            async with asyncio.timeout(budget.seconds):
                while piece := await request.content.readany():
                    if len(body) + len(piece) > at_most:
                        raise _too_large(at_most)
                    budget.take(upload, len(piece))
                    body += piece
        except TimeoutError:
            raise ApiError(408, "too_slow", f"The body took more than {budget.seconds:g} seconds.") from None
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            raise ApiError(400, "unreadable", "The body is truncated or malformed.") from None
        finally:
            budget.end(upload)
        return bytes(body)


BODIES = web.AppKey("bodies", RequestBodies)


def _too_large(at_most: int) -> ApiError:
    return ApiError(413, "too_large", f"The body is larger than {at_most:,} bytes.")
