"""Which names a server answers to."""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from email_consumer.web.routing import ApiError


def known_hosts(serves: Callable[[str], bool]) -> Middleware:
    """Refuse requests whose Host header `serves` doesn't know."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not serves(request.headers.get("Host", "")):
            raise ApiError(421, "misdirected", "In local mode this program is reached as localhost only.")
        return await handler(request)

    return check
