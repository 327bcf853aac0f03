"""Which requests may use a protected route."""

import hashlib
import hmac
from collections.abc import Callable, Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from email_consumer.runtime.throttle import Throttle
from email_consumer.web.audit import Audit, forbidden
from email_consumer.web.grant import ANY_KEY, GRANT, ROOT, Grant, Scope
from email_consumer.web.routing import ApiError, operation_of
from email_consumer.web.wrong_keys import WrongKeys

_BEARER = "Bearer "
_QUIET = 60.0
"""Seconds between two log lines."""

_log = structlog.get_logger(__name__)

FindKey = Callable[[bytes], Grant | None]
"""The grant of the valid stored key with this digest (`key_digest`)."""


class ApiKeys:
    """Any of several root keys is valid, so that they can be rotated; stored keys grant what they were made for."""

    def __init__(
        self,
        keys: Sequence[str],
        admits: Callable[[web.Request], Grant | None],
        wrong_keys: WrongKeys,
        *,
        find: FindKey = lambda _: None,
        audit: Audit | None = None,
    ) -> None:
        """`admits` accepts other credentials than a key; `wrong_keys` records and slows down wrong keys."""
        self._keys = [key_digest(key) for key in keys]
        self._admits = admits
        self._wrong_keys = wrong_keys
        self._find = find
        self._audit = audit or Audit()
        self._throttle = Throttle(_QUIET)

    def by_key(self, request: web.Request) -> Grant | None:
        """Accept `X-API-KEY`, or `Authorization: Bearer` for clients that can't set custom headers, such as Prometheus."""
        candidate = key_digest(_given(request))
        # All are compared, each in constant time: timing reveals nothing about the keys or their length.
        if any([hmac.compare_digest(candidate, key) for key in self._keys]):  # noqa: C419 - a generator would stop early
            return ROOT
        # A lookup by digest reveals at most how its first bytes compare, and nobody can choose the digest of a guess.
        return self._find(candidate)

    def grant(self, request: web.Request) -> Grant | None:
        """What the request's credentials allow at this moment; None if they allow nothing.

        Raises:
            ApiError: 403, another site made the browser send its session.
        """
        return self.by_key(request) or self._admits(request)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through if its route is open, its credentials suffice, or no route matches (404, 405)."""
        match = request.match_info
        operation = operation_of(match.handler)
        if match.http_exception or (operation and operation.open_to_all):
            return await handler(request)
        grant = self.grant(request)
        if grant is None:
            await self._refuse(request)
            raise ApiError(401, "unauthorized", "Missing or invalid API key.", headers={"WWW-Authenticate": "Bearer"})
        scope = (operation.scope if operation else None) or Scope.ADMIN
        if scope != ANY_KEY and not grant.allows(scope):
            await self._audit.refused(request, grant)
            raise forbidden(f"This key lacks the scope {scope}.")
        request[GRANT] = grant
        await self._audit.used(request, grant)
        return await handler(request)

    async def _refuse(self, request: web.Request) -> None:
        """Count and log it; the response is delayed when many wrong keys come from one address."""
        if _given(request):
            await self._wrong_keys.record(request.remote or "")
        if not self._keys and self._throttle.admit("no key set") is not None:
            _log.warning(
                "api.no_key_set",
                path=request.path,
                hint="set API_KEY; without it, protected routes refuse every request",
            )


API_KEYS = web.AppKey("api keys", ApiKeys)


def _given(request: web.Request) -> str:
    key = request.headers.get("X-API-KEY", "")
    authorization = request.headers.get("Authorization", "")
    return key or (authorization.removeprefix(_BEARER) if authorization.startswith(_BEARER) else "")


def key_digest(key: str) -> bytes:
    """The form in which keys are compared and stored.

    SHA-256 without salt or rounds: stored keys have 256 random bits, which cannot be found by trying, unlike a password.
    """
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
