"""Whether a browser was led to us by somebody else's page: what listens on this machine only is reached that way too."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_SHOWN = frozenset({"document", "image"})
"""What another site may point at: a link, and an image in a mail, whose page has no origin of its own."""


def names_this_machine(host: str, *, any_address: bool = False) -> bool:
    """Whether a Host header can only mean a program on this machine.

    A name that somebody else's DNS points at us (DNS rebinding) makes their page one of ours in the browser's eyes.
    Browsers always send the header, so one that is missing comes from no page. `any_address` also lets IP addresses
    pass, for who listens on more than the loopback interface.
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
        return request.method not in _SAFE_METHODS or request.headers.get("Sec-Fetch-Dest") not in _SHOWN
    if site is not None or request.method in _SAFE_METHODS or "Origin" not in request.headers:
        return False
    # Browsers that don't know Sec-Fetch-Site.
    return authority(request.headers["Origin"]) != request.headers.get("Host", "").lower()


def authority(url: str) -> str:
    """Host and port; empty where it is no URL."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def without_port(host: str) -> str:
    """The name in a Host header."""
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host
