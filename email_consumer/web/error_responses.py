"""Turns every error, wherever it was raised, into JSON of one shape."""

import sqlite3

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from nats.errors import Error as NatsError

from email_consumer.core.mail_queue import QueueUnavailableError
from email_consumer.runtime.throttle import Throttle
from email_consumer.web.routing import ApiError, operation_of

_QUIET = 10.0
"""Seconds between two log lines about the same error: anybody can repeat a request."""

_log = structlog.get_logger(__name__)


class ErrorResponses:
    """Makes responses of errors, and logs those that are not the client's."""

    def __init__(self) -> None:
        self._throttle = Throttle(_QUIET)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - a redirect is not an error
                raise
            return _respond(request, _of_aiohttp(error))
        except Exception as error:  # noqa: BLE001 - the client gets a response whatever happened
            return _respond(request, self._explained(request, error))

    def _explained(self, request: web.Request, error: Exception) -> ApiError:
        match error:
            case ApiError():
                return error
            case sqlite3.OperationalError():
                return self._storage_unavailable(request, error)
            case QueueUnavailableError() | NatsError() | TimeoutError():
                return self._queue_unavailable(request, error)
            case _:
                return self._crashed(request, error)

    def _storage_unavailable(self, request: web.Request, error: Exception) -> ApiError:
        unlogged = self._throttle.admit("storage")
        if unlogged is not None:
            _log.warning("api.storage_unavailable", path=request.path, error=str(error), unlogged=unlogged)
        return ApiError(
            503,
            "storage_unavailable",
            "The database is not writable at present; nothing was changed. Try again.",
            headers={"Retry-After": "1"},
        )

    def _queue_unavailable(self, request: web.Request, error: Exception) -> ApiError:
        unlogged = self._throttle.admit("queue")
        if unlogged is not None:
            _log.warning("api.queue_unavailable", path=request.path, error=str(error), unlogged=unlogged)
        return ApiError(503, "queue_unavailable", "NATS did not respond; try again.", headers={"Retry-After": "2"})

    def _crashed(self, request: web.Request, error: Exception) -> ApiError:
        if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            return ApiError(400, "gone", "The client disconnected.")  # nobody receives it
        unlogged = self._throttle.admit(f"{type(error).__name__} {request.method} {_route(request)}")
        if unlogged is not None:
            _log.error("api.crashed", method=request.method, path=request.path, unlogged=unlogged, exc_info=error)
        return ApiError(500, "internal", "Internal error; see the server log.")


def _respond(request: web.Request, error: ApiError) -> web.Response:
    operation = operation_of(request.match_info.handler)
    return operation.respond(request, error) if operation else error.response()


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


def _of_aiohttp(error: web.HTTPException) -> ApiError:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return ApiError(error.status, error.reason.lower().replace(" ", "_"), f"{error.reason}.", headers=headers)
