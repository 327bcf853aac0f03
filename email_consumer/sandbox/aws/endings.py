"""The two ways a scripted fault ends a request outside any AWS protocol."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from email_consumer.sandbox.aws.errors import BareStatus, ConnectionCut

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def scripted_endings(handler: Handler) -> Handler:
    """Let anything below `handler` raise `BareStatus` or `ConnectionCut`."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BareStatus as bare:
            return web.Response(status=bare.status)
        except ConnectionCut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # never reaches anyone; aiohttp wants an answer

    return guarded
