"""The transport over aiohttp, which speaks to proxies."""

import asyncio
import ssl
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from email_consumer.aws.response import BoundedResponse
from email_consumer.runtime.clock import elapsed
from email_consumer.ses.transport import (
    Answer,
    AnswerMissingError,
    Headers,
    NotWrittenError,
    TooLateError,
    check_headers,
)

_KEEPALIVE = 10.0
"""Seconds an idle connection is kept: less than any server keeps it, so that we never write into a closing one."""
_LARGE = 2**16
"""Bytes of a request body."""


@dataclass(slots=True)
class _Attempt:
    """To write one request."""

    deadline: float
    """By `elapsed`."""
    begun: bool = False
    """There was a connection, through the proxy's tunnel if it needs one, so the first byte may have been written."""


_attempt: ContextVar[_Attempt] = ContextVar("attempt")
"""Of the current task; aiohttp has no place for it."""


class AiohttpTransport:
    """Implements `Transport`."""

    def __init__(
        self, url: str, *, connections: int, connect_timeout: float, tls: ssl.SSLContext, proxy: str | None
    ) -> None:
        """`connect_timeout`: seconds for waiting for one of the `connections` and opening it."""
        self._url = URL(url, encoded=True)
        self._http = aiohttp.ClientSession(
            connector=_Connector(limit=connections, keepalive_timeout=_KEEPALIVE, ssl=tls),
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept",),
            auto_decompress=False,
            request_class=_TimelyRequest,
            response_class=BoundedResponse,
            proxy=proxy,
        )

    async def post(self, body: bytes, headers: Headers, until: float, deadline: float) -> Answer:
        fields = headers.together()
        check_headers(*fields.values())
        attempt = _Attempt(deadline)
        _attempt.set(attempt)
        try:
            async with (
                asyncio.timeout_at(until),
                self._http.post(self._url, data=_payload(body), headers=fields, allow_redirects=False) as response,
            ):
                return Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The same error may come from the proxy that was asked for a tunnel, and from SES.
            kind = AnswerMissingError if attempt.begun else NotWrittenError
            raise kind(_text_of(error)) from error

    async def close(self) -> None:
        await self._http.close()


class _TimelyRequest(aiohttp.ClientRequest):
    """Written by its deadline or not at all."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Called once there is a connection, and so right before the first byte."""
        attempt = _attempt.get()
        if elapsed() > attempt.deadline:
            raise TooLateError
        attempt.begun = True
        return await super().send(conn)


class _Connector(aiohttp.TCPConnector):
    """aiohttp's own takes what came on an idle connection for the answer to the next request (aiohttp #13656)."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        protocol: type[ResponseHandler] = _Protocol
        self._factory = partial(protocol, loop=self._loop)


class _Protocol(ResponseHandler):
    def is_connected(self) -> bool:
        """Which the pool asks before it gives a connection away again."""
        return super().is_connected() and not self.should_close


def _payload(body: bytes) -> bytes | BytesIO:
    # A file is written piece by piece, and so the time-out reaches a peer that takes nothing; bytes would be at once.
    return body if len(body) <= _LARGE else BytesIO(body)


def _text_of(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):  # its own text holds the URL, and that a proxy's password
        return f"{type(error).__name__}: {error.status} {error.message}"
    return f"{type(error).__name__}: {error}".rstrip(": ")
