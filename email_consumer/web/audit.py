"""What the audit log gets to know: changes by operators, exports, logins, refused attempts, and new users of a key."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from cachetools import TTLCache

from email_consumer.web.grant import GRANT, Grant, Scope
from email_consumer.web.routing import ApiError, operation_of

KEY_USED = "key used"
"""The action of an entry that says from where a key is used; at most one a day for each key and address."""
_DAY = 86_400.0
_REFUSED_AGAIN = 60.0
"""Seconds between two entries about the same refused attempt."""
_PATIENCE = 5.0
"""Seconds to store an entry."""
_REMEMBERED = 10_000
_LONGEST_TARGET = 500
_READING = frozenset({"GET", "HEAD"})
_TARGET = web.RequestKey("audit target", str)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what."""

    at: float
    """Unix seconds."""
    key_id: str
    key_name: str
    action: str
    """Method and path of the route, such as `DELETE /v1/topics/{topic_id}`."""
    target: str
    """What it was done to, such as a topic's id, and the parameters of the query; empty if the action says all."""
    status: int
    """Of the response; 403 for a refused attempt."""
    address: str
    """The client's IP address, or that of the proxy in front of us."""


Record = Callable[[AuditEntry], Awaitable[None]]
"""Stores an entry; raises if it can't."""


def audit_target(request: web.Request, target: str) -> None:
    """Name what a request changes, where its path does not. It must not be an address that is to be erased."""
    request[_TARGET] = target


class Audit:
    """Decides what is recorded. A request does not fail if its entry can't be stored: the log says so."""

    def __init__(self, record: Record | None = None) -> None:
        """Without `record` nothing is recorded."""
        self._record = record
        self._seen: TTLCache[tuple[str, str], None] = TTLCache(_REMEMBERED, _DAY, timer=time.monotonic)
        self._refused: TTLCache[tuple[str, str], None] = TTLCache(_REMEMBERED, _REFUSED_AGAIN, timer=time.monotonic)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record the request if it changed something; it must have been let in before."""
        response = await handler(request)
        if request.get(GRANT) and response.status < HTTPStatus.BAD_REQUEST and _matters(request):
            await self._note(request, request[GRANT], _action(request), _target(request), response.status)
        return response

    async def used(self, request: web.Request, grant: Grant) -> None:
        """Record that a key is used from this address, if that is news."""
        known = (grant.key_id, request.remote or "")
        if self._record and known not in self._seen:
            self._seen[known] = None
            await self._note(request, grant, KEY_USED, "", int(HTTPStatus.OK))

    async def refused(self, request: web.Request, grant: Grant) -> None:
        """Record that a key was refused for lack of a scope."""
        known = (grant.key_id, action := _action(request))
        if self._record and known not in self._refused:
            self._refused[known] = None
            await self._note(request, grant, action, _target(request), int(HTTPStatus.FORBIDDEN))

    async def _note(self, request: web.Request, grant: Grant, action: str, target: str, status: int) -> None:
        if self._record is None:
            return
        entry = AuditEntry(time.time(), grant.key_id, grant.name, action, target, status, request.remote or "")
        try:
            async with asyncio.timeout(_PATIENCE):  # a blocked database must not hold up the response
                await self._record(entry)
        except Exception:  # noqa: BLE001 - what was done is done
            _log.exception("audit.not_written", key=grant.key_id, action=action)


def _matters(request: web.Request) -> bool:
    operation = operation_of(request.match_info.handler)
    if operation is None or operation.open_to_all:
        return False
    changes = request.method not in _READING and operation.scope is not Scope.SEND
    return changes or operation.audited


def _action(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else request.path}"


def _target(request: web.Request) -> str:
    chosen = [f"{name}: {value}" for name, value in request.query.items()]
    return (request.get(_TARGET) or " ".join([*request.match_info.values(), *chosen]))[:_LONGEST_TARGET]


def forbidden(message: str) -> ApiError:
    """A 403 for credentials that are valid but not sufficient."""
    return ApiError(HTTPStatus.FORBIDDEN, "forbidden", message)
