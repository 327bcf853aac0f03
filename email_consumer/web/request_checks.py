"""Checks that every request must pass before its route is looked at."""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from email_consumer.web.routing import ApiError


def known_hosts(serves: Callable[[str], bool]) -> Middleware:
    """Refuse requests whose Host header `serves` does not accept."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not serves(request.headers.get("Host", "")):
            raise ApiError(421, "misdirected", "In local mode, only the host name localhost is accepted.")
        return await handler(request)

    return check


@web.middleware
async def plain_targets(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a path or query that is not percent-encoded UTF-8 or contains NUL: SQLite and NATS can't take it."""
    parts = (request.path, *request.query, *request.query.values(), *request.match_info.values())
    if not request.raw_path.isascii() or any("\0" in part or not _is_text(part) for part in parts):
        raise ApiError(400, "bad_target", "The path and the query must be percent-encoded UTF-8 without NUL.")
    return await handler(request)


def _is_text(part: str) -> bool:
    return part.isascii() or not any("\ud800" <= character <= "\udfff" for character in part)
