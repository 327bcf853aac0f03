"""What injected faults do outside any AWS protocol: end a request in one of two ways, or change its response."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from ses_sandbox.aws.errors import BareStatus, ConnectionCut
from ses_sandbox.response_changes import send_changed

Handler = Callable[[web.Request], Awaitable[web.Response]]
ServedHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""What aiohttp calls."""


def with_fault_responses(handler: Handler) -> ServedHandler:
    """Let `handler` raise `BareStatus` or `ConnectionCut`, and apply the changes scripted for its response."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            response = await handler(request)
        except BareStatus as bare:
            response = web.Response(status=bare.status)
        except ConnectionCut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # never reaches anyone; aiohttp wants an answer
        return await send_changed(request, response)

    return guarded
