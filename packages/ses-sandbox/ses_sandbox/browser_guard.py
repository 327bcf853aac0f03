"""Refuses what a web page of another site makes a browser send.

The sandbox holds mail and takes commands without a key, since it stands in for Amazon on a developer's machine. A browser
on that machine reaches it too, and whatever page is open there must not be able to use it.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_EMBEDDABLE = frozenset({"document", "image"})
"""What another site may point at: a link, and an image in a mail, whose page has no origin."""


def browser_guard(host: str, names: Collection[str]) -> Middleware:
    """Answer 421 to requests for other hosts, 403 to those of other sites' pages.

    Args:
        host: what the server listens on.
        names: further names it is reached by.
    """
    any_address = not _is_loopback(host)
    known = {host, *names}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        requested = request.headers.get("Host", "")
        if not names_this_machine(requested, any_address=any_address) and without_port(requested) not in known:
            raise web.HTTPMisdirectedRequest(text=f"The sandbox does not serve {requested}; see --name.\n")
        if crosses_sites(request):
            raise web.HTTPForbidden(text="Pages of other sites may not use the sandbox.\n")
        return await handler(request)

    return check


def names_this_machine(host: str, *, any_address: bool = False) -> bool:
    """Whether a Host header can only mean a program on this machine.

    A name that an attacker's DNS resolves to this machine (DNS rebinding) makes the attacker's page same-origin in the
    browser's eyes. Browsers always send the header, so a request without it comes from no page. `any_address` also
    accepts IP addresses, for servers that listen on more than the loopback interface.
    """
    name = without_port(host).rstrip(".").lower()
    if not host or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    return any_address or address.is_loopback


def crosses_sites(request: web.BaseRequest) -> bool:
    """Whether a page of another site made the browser send it, other than by a link or an image."""
    site = request.headers.get("Sec-Fetch-Site")
    if site in {"cross-site", "same-site"}:
        return request.method not in _SAFE_METHODS or request.headers.get("Sec-Fetch-Dest") not in _EMBEDDABLE
    if site is not None or request.method in _SAFE_METHODS or "Origin" not in request.headers:
        return False
    # Browsers that don't know Sec-Fetch-Site.
    return _authority(request.headers["Origin"]) != request.headers.get("Host", "").lower()


def without_port(host: str) -> str:
    """The name in a Host header."""
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host


def _authority(url: str) -> str:
    """Host and port; empty if it is not a URL."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
