"""Whether another site's page made a browser send a request: that reaches servers on the loopback interface, too."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_EMBEDDABLE = frozenset({"document", "image"})
"""What another site may load: a link, and an image in a mail (web mail has another origin)."""


def names_this_machine(host: str, *, any_address: bool = False) -> bool:
    """Whether a Host header can only refer to this machine.

    DNS rebinding: a foreign name that resolves to us would make the browser treat a foreign page as ours. Browsers always
    send the header, so a request without it comes from no page. `any_address` also accepts IP addresses, for a
    server that listens on more than the loopback interface.
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
    """Whether a page of another site made the browser send it, except by a link or an image."""
    site = request.headers.get("Sec-Fetch-Site")
    if site in {"cross-site", "same-site"}:
        return request.method not in _SAFE_METHODS or request.headers.get("Sec-Fetch-Dest") not in _EMBEDDABLE
    if site is not None or request.method in _SAFE_METHODS or "Origin" not in request.headers:
        return False
    # Browsers without Sec-Fetch-Site.
    return authority(request.headers["Origin"]) != request.headers.get("Host", "").lower()


def authority(url: str) -> str:
    """Host and port; empty if it is not a URL."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def without_port(host: str) -> str:
    """The name in a Host header."""
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host
