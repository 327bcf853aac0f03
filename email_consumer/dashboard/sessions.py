"""A browser that logged in: a random cookie stands for the key, so that the key is kept nowhere in the browser."""

import hashlib
import secrets
from collections.abc import Callable
from time import monotonic

from aiohttp import web
from cachetools import TTLCache

from email_consumer.web.origin import authority
from email_consumer.web.routing import ApiError

COOKIE = "email_consumer_session"
LIFETIME = 12 * 3600
"""Seconds from the login; a restart of the program ends all sessions too, and with them those of a key taken away."""

_MOST = 1_000
_SAFE_METHODS = {"GET", "HEAD"}


class Sessions:
    """Kept in memory as hashes: what is looked up says nothing, by its time or in a dump, of what would be let in."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """`clock` in seconds."""
        self._open: TTLCache[bytes, None] = TTLCache(_MOST, LIFETIME, timer=clock)

    def begin(self) -> str:
        """A new session; what its cookie holds."""
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = None
        return token

    def end(self, request: web.Request) -> None:
        """The cookie of this request opens nothing any more."""
        self._open.pop(_digest(request.cookies.get(COOKIE, "")), None)

    def holds(self, request: web.Request) -> bool:
        """Whether the request comes with the cookie of an open session."""
        return _digest(request.cookies.get(COOKIE, "")) in self._open

    def admits(self, request: web.Request) -> bool:
        """Whether its session lets a request through that would else need a key.

        One that brings a key, right or wrong, is judged by that alone.

        Raises:
            ApiError: 403, another site made the browser send it.
        """
        if brings_key(request) or not self.holds(request):
            return False
        if not _of_our_page(request):
            raise ApiError(403, "cross_origin", "A session serves this program's own page only.")
        return True


def brings_key(request: web.Request) -> bool:
    """Whether the request has credentials of its own beside a cookie."""
    return "X-API-KEY" in request.headers or "Authorization" in request.headers


def _of_our_page(request: web.Request) -> bool:
    """Browsers tell it by Sec-Fetch-Site; over plain HTTP to another machine they leave that out but send Origin."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin" or (site == "none" and request.method in _SAFE_METHODS)
    if request.method in _SAFE_METHODS:  # they change nothing, and their answers can't be read across origins
        return True
    return authority(request.headers.get("Origin", "")) == request.headers.get("Host", "").lower() != ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
