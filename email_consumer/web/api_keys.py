"""Which requests may use a protected route."""

import hashlib
import hmac
from collections.abc import Callable, Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from email_consumer.runtime.throttle import Throttle
from email_consumer.web.routing import ApiError, operation_of
from email_consumer.web.wrong_keys import WrongKeys

_BEARER = "Bearer "
_QUIET = 60.0
"""Seconds between two log lines."""

_log = structlog.get_logger(__name__)


class ApiKeys:
    """Any of several keys is valid, so that keys can be rotated."""

    def __init__(self, keys: Sequence[str], admits: Callable[[web.Request], bool], wrong_keys: WrongKeys) -> None:
        """`admits` accepts other credentials than a key; `wrong_keys` records and slows down wrong keys."""
        self._keys = [_digest(key) for key in keys]
        self._admits = admits
        self._wrong_keys = wrong_keys
        self._throttle = Throttle(_QUIET)

    def allow(self, request: web.Request) -> bool:
        """Accept `X-API-KEY`, or `Authorization: Bearer` for clients that can't set custom headers, such as Prometheus."""
        candidate = _digest(_given(request))
        # All are compared, each in constant time: timing reveals nothing about the keys or their length.
        return any([hmac.compare_digest(candidate, key) for key in self._keys])  # noqa: C419 - a generator would stop early

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through if its route is open, its credentials are valid, or no route matches (404, 405)."""
        match = request.match_info
        operation = operation_of(match.handler)
        if match.http_exception or (operation and operation.open_to_all):
            return await handler(request)
        if self.allow(request) or self._admits(request):
            return await handler(request)
        if self._keys and _given(request):
            await self._wrong_keys.record(request.remote or "")
        elif not self._keys and self._throttle.admit("no key set") is not None:
            _log.warning(
                "api.no_key_set",
                path=request.path,
                hint="set API_KEY; without it, protected routes refuse every request",
            )
        headers = {"WWW-Authenticate": "Bearer"}
        raise ApiError(401, "unauthorized", "Missing or invalid API key.", headers=headers)


def _given(request: web.Request) -> str:
    key = request.headers.get("X-API-KEY", "")
    authorization = request.headers.get("Authorization", "")
    return key or (authorization.removeprefix(_BEARER) if authorization.startswith(_BEARER) else "")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
