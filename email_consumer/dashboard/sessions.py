"""Sessions of browsers: a random cookie replaces the key, so that the browser need not store the key."""

import hashlib
import secrets
import time
from collections.abc import Callable

from aiohttp import web
from cachetools import TTLCache

from email_consumer.web.grant import ROOT, Grant
from email_consumer.web.origin import authority
from email_consumer.web.routing import ApiError

COOKIE = "email_consumer_session"
LIFETIME = 12 * 3600
"""Seconds from the login. A restart ends all sessions, including those of a revoked key."""

_MAX_SESSIONS = 1_000
_SAFE_METHODS = {"GET", "HEAD"}


class Sessions:
    """Kept in memory as hashes, so that neither timing nor a memory dump reveals a valid token."""

    def __init__(
        self, clock: Callable[[], float] | None = None, *, current: Callable[[str], bool] = lambda _: True
    ) -> None:
        """`clock`: seconds; `time.monotonic` unless given. `current`: whether the key with this id is still valid."""
        self._open: TTLCache[bytes, Grant] = TTLCache(_MAX_SESSIONS, LIFETIME, timer=clock or time.monotonic)
        self._current = current

    def begin(self, grant: Grant) -> str:
        """Start a session that allows what the key allows with which it begins; its cookie value."""
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = grant
        return token

    def end(self, request: web.Request) -> None:
        """End the session of this request, if any."""
        self._open.pop(_digest(request.cookies.get(COOKIE, "")), None)

    def grant(self, request: web.Request) -> Grant | None:
        """What the session allows whose cookie the request has; None without a valid session."""
        grant = self._open.get(_digest(request.cookies.get(COOKIE, "")))
        return grant if grant is ROOT or (grant and self._current(grant.key_id)) else None

    def admits(self, request: web.Request) -> Grant | None:
        """What the request's session allows in place of a key.

        A request with a key, right or wrong, is judged by the key alone.

        Raises:
            ApiError: 403, another site made the browser send it.
        """
        grant = None if brings_key(request) else self.grant(request)
        if grant and not _of_our_page(request):
            raise ApiError(403, "cross_origin", "A session is valid only for this program's own page.")
        return grant


def brings_key(request: web.Request) -> bool:
    """Whether the request carries a key in addition to or instead of a cookie."""
    return "X-API-KEY" in request.headers or "Authorization" in request.headers


def _of_our_page(request: web.Request) -> bool:
    """By Sec-Fetch-Site; over plain HTTP to another machine browsers omit it but send Origin."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin" or (site == "none" and request.method in _SAFE_METHODS)
    if request.method in _SAFE_METHODS:  # they change nothing, and other origins can't read the response
        return True
    return authority(request.headers.get("Origin", "")) == request.headers.get("Host", "").lower() != ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
