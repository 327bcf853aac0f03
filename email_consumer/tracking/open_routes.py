"""`GET /v1/events/open`: the pixel. The response is the same for valid and invalid tokens."""

import base64
import time
from collections.abc import Callable

from aiohttp import web

from email_consumer.tracking.machines import is_machine
from email_consumer.tracking.open_tracking import PATH
from email_consumer.tracking.opens import Open
from email_consumer.tracking.tokens import OpenTokens
from email_consumer.web.routing import ApiModel, operation

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")  # 1 by 1, transparent
_HEADERS = {
    "Cache-Control": "no-store, no-cache, must-revalidate, private, max-age=0",
    "Pragma": "no-cache",
    "Expires": "0",
    "Cross-Origin-Resource-Policy": "cross-origin",  # web mail embeds it in its pages
}
_LONGEST_AGENT = 256


class OpenQuery(ApiModel):
    request_id: str = ""
    """The token from the pixel in a mail."""


class OpenRoutes:
    def __init__(self, tokens: OpenTokens, record: Callable[[Open], None]) -> None:
        """`record` must not block."""
        self._tokens = tokens
        self._record = record

    def routes(self) -> list[web.RouteDef]:
        return [web.get(PATH, self.open)]

    @operation("The open pixel", query=OpenQuery, answer_type="image/gif", open_to_all=True)
    async def open(self, request: web.Request) -> web.Response:
        token = request.query.get("request_id") or request.query.get("requestId") or ""
        tag = self._tokens.read(token)
        if tag is not None:
            agent = request.headers.get("User-Agent", "")
            machine = is_machine(request.method, request.headers)
            self._record(Open(tag, time.time(), machine, agent[:_LONGEST_AGENT]))
        return web.Response(body=_GIF, content_type="image/gif", headers=_HEADERS)
