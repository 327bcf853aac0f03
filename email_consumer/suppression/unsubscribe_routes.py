"""The target of unsubscribe links.

A mail client posts `List-Unsubscribe=One-Click` (RFC 8058), a person gets a page whose buttons do the same or choose more.
Loading the page must not unsubscribe: scanners open every link.
"""

from typing import Any, Literal
from urllib.parse import parse_qs

from aiohttp import web
from pydantic import Field, create_model

from email_consumer.suppression.languages import preferred
from email_consumer.suppression.suppression import Reason
from email_consumer.suppression.suppression_list import SuppressionList
from email_consumer.suppression.unsubscribe import PATH, LinkTarget, Unsubscribe
from email_consumer.suppression.unsubscribe_page import UnsubscribePage
from email_consumer.web.routing import ApiError, operation, read_bytes

_MAX_BODY = 2**14
_HTML = "text/html"
_FORM = "application/x-www-form-urlencoded"
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # or other sites would see the token
    "Vary": "Accept-Language",
    "X-Robots-Tag": "noindex",
}


# The form of RFC 8058; Python names can't contain a hyphen.
_FIELDS: dict[str, Any] = {
    "List-Unsubscribe": (Literal["One-Click"], ...),
    "choice": (
        Literal["group", "all"],
        Field("group", description="`all`: all bulk mail, also where the link is for a group"),
    ),
}
UnsubscribeForm = create_model("UnsubscribeForm", **_FIELDS)


class UnsubscribeRoutes:
    """Open to all: the token authenticates. No cookies, no redirects."""

    def __init__(self, unsubscribe: Unsubscribe, suppressions: SuppressionList, page: UnsubscribePage) -> None:
        self._unsubscribe = unsubscribe
        self._suppressions = suppressions
        self._page = page

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(PATH + "{token}", self.ask),
            web.post(PATH + "{token}", self.unsubscribe),
        ]

    @operation(
        "The confirmation page of an unsubscribe link", answer_type=_HTML, not_found_type=_HTML, open_to_all=True
    )
    async def ask(self, request: web.Request) -> web.Response:
        target, language = self._target(request), _language(request)
        if target is None:
            return self._answer(language, self._page.unknown(language), 404)
        return self._answer(language, self._page.ask(language, target))

    @operation(
        "Unsubscribe from the group of the link, or from all bulk mail",
        body=UnsubscribeForm,
        body_type=_FORM,
        answer_type=_HTML,
        not_found_type=_HTML,
        open_to_all=True,
    )
    async def unsubscribe(self, request: web.Request) -> web.Response:
        target, language = self._target(request), _language(request)
        if target is None:
            return self._answer(language, self._page.unknown(language), 404)
        # Both form encodings contain the two words.
        body = await read_bytes(request, at_most=_MAX_BODY)
        if b"List-Unsubscribe" not in body or b"One-Click" not in body:
            raise ApiError(400, "no_confirmation", "Post List-Unsubscribe=One-Click to unsubscribe.")
        group = None if _chooses_all(request, body) else target.group
        await self._suppressions.add(target.address, Reason.UNSUBSCRIBED, "", "recipient", group)
        return self._answer(language, self._page.done(language, target, everything=group is None))

    def _target(self, request: web.Request) -> LinkTarget | None:
        return self._unsubscribe.target(request.match_info["token"])

    def _answer(self, language: str, text: str, status: int = 200) -> web.Response:
        headers = _HEADERS | {"Content-Language": language, "Content-Security-Policy": self._page.policy}
        return web.Response(status=status, text=text, content_type=_HTML, headers=headers)


def _language(request: web.Request) -> str:
    return preferred(request.headers.get("Accept-Language", ""))


def _chooses_all(request: web.Request, body: bytes) -> bool:
    """Only our own page makes a choice, and posts it in this encoding."""
    if request.content_type != _FORM:
        return False
    return parse_qs(body.decode(errors="replace")).get("choice") == ["all"]
