"""How injected faults change a response on its way to the client."""

import asyncio
import gzip
import zlib

from aiohttp import web

from ses_sandbox.faults import Encode, ResponseChange, Trickle

_CHANGES: web.RequestKey[list[ResponseChange]] = web.RequestKey("changes", list)


def changes_of(request: web.Request) -> list[ResponseChange]:
    """The changes to make to the request's response; callers append to it."""
    changes: list[ResponseChange] = request.setdefault(_CHANGES, [])
    return changes


async def send_changed(request: web.Request, response: web.Response) -> web.StreamResponse:
    """The changed response; already sent if it trickles."""
    body, pause = response.body or b"", 0.0
    assert isinstance(body, bytes)  # noqa: S101 - as everything here makes them
    for change in changes_of(request):
        match change:
            case Encode(encoding=encoding):
                response.body = body = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
                response.headers.add("Content-Encoding", encoding)
            case Trickle(seconds=seconds):
                pause += seconds
    return await _trickle(request, response, body, pause) if pause else response


async def _trickle(request: web.Request, response: web.Response, body: bytes, pause: float) -> web.StreamResponse:
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = len(body)
    await stream.prepare(request)
    for byte in body:
        await asyncio.sleep(pause)
        await stream.write(bytes((byte,)))
    return stream
