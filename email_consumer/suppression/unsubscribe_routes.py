"""The target of unsubscribe links.

A mail client posts `List-Unsubscribe=One-Click` (RFC 8058), a person gets a page with a button that does the same.
Loading the page must not unsubscribe: scanners open every link.
"""

from typing import Any, Literal

from aiohttp import web
from pydantic import create_model

from email_consumer.suppression.suppression import Reason
from email_consumer.suppression.suppression_list import SuppressionList
from email_consumer.suppression.unsubscribe import PATH, Unsubscribe
from email_consumer.web.routing import ApiError, operation, read_bytes

_MAX_BODY = 2**14
_HTML = "text/html"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # or other sites would see the token
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Unsubscribe</title></head>
<body><main>{content}</main></body></html>
"""
_ASK = """<h1>Unsubscribe?</h1><form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button>Unsubscribe</button></form>"""
_DONE = "<h1>Unsubscribed</h1><p>You will receive no more mail from this sender.</p>"
_UNKNOWN = """<h1>Sorry, this link does not work</h1><p>It may have been cut off: please open it from the mail again. If the mail is old,
please use the link in a newer mail, or reply to the sender.</p>"""


# The form of RFC 8058; Python names can't contain a hyphen.
_FIELDS: dict[str, Any] = {"List-Unsubscribe": (Literal["One-Click"], ...)}
UnsubscribeForm = create_model("UnsubscribeForm", **_FIELDS)


class UnsubscribeRoutes:
    """Open to all: the token authenticates. No cookies, no redirects."""

    def __init__(self, unsubscribe: Unsubscribe, suppressions: SuppressionList) -> None:
        self._unsubscribe = unsubscribe
        self._suppressions = suppressions

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(PATH + "{token}", self.ask),
            web.post(PATH + "{token}", self.unsubscribe),
        ]

    @operation(
        "The confirmation page of an unsubscribe link", answer_type=_HTML, not_found_type=_HTML, open_to_all=True
    )
    async def ask(self, request: web.Request) -> web.Response:
        target = self._unsubscribe.target(request.match_info["token"])
        return _page(_ASK) if target else _page(_UNKNOWN, 404)

    @operation(
        "Unsubscribe",
        body=UnsubscribeForm,
        body_type="application/x-www-form-urlencoded",
        answer_type=_HTML,
        not_found_type=_HTML,
        open_to_all=True,
    )
    async def unsubscribe(self, request: web.Request) -> web.Response:
        target = self._unsubscribe.target(request.match_info["token"])
        if target is None:
            return _page(_UNKNOWN, 404)
        # Both form encodings contain the two words.
        body = await read_bytes(request, at_most=_MAX_BODY)
        if b"List-Unsubscribe" not in body or b"One-Click" not in body:
            raise ApiError(400, "no_confirmation", "Post List-Unsubscribe=One-Click to unsubscribe.")
        await self._suppressions.add(target.address, Reason.UNSUBSCRIBED, "", "recipient", target.group)
        return _page(_DONE)


def _page(content: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=_PAGE.format(content=content), content_type=_HTML, headers=_HEADERS)
