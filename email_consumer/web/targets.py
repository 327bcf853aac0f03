"""What a request asks for must be text: all else in its target would fail somewhere behind."""

from aiohttp import web
from aiohttp.typedefs import Handler

from email_consumer.web.routing import ApiError


@web.middleware
async def plain_targets(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what is not percent-encoded UTF-8, or holds a NUL."""
    parts = (request.path, *request.query, *request.query.values(), *request.match_info.values())
    if not request.raw_path.isascii() or any("\0" in part or not _is_text(part) for part in parts):
        raise ApiError(400, "bad_target", "The path and the query must be percent-encoded UTF-8 without NUL.")
    return await handler(request)


def _is_text(part: str) -> bool:
    return part.isascii() or not any("\ud800" <= character <= "\udfff" for character in part)
