"""Every error becomes JSON of one shape, whoever raised it."""

import sqlite3
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from nats.errors import Error as NatsError

from email_consumer.http import ApiError
from email_consumer.mail_queue import QueueUnavailableError

_log = structlog.get_logger(__name__)


@web.middleware
async def faults_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The outermost middleware."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 - a redirect is no fault
            raise
        return _of_aiohttp(error).response()
    except sqlite3.OperationalError as error:
        _log.warning("api.storage_unavailable", path=request.path, error=str(error))
        fault = ApiError(503, "storage_unavailable", "Nothing was changed; try again.", headers={"Retry-After": "1"})
        return fault.response()
    except (QueueUnavailableError, NatsError, TimeoutError) as error:
        _log.warning("api.queue_unavailable", path=request.path, error=str(error))
        fault = ApiError(503, "queue_unavailable", "NATS gave no answer; try again.", headers={"Retry-After": "2"})
        return fault.response()
    except Exception:  # noqa: BLE001 - the caller gets an answer whatever happened
        _log.exception("api.crashed", method=request.method, path=request.path)
        return ApiError(500, "internal", "A fault of this program; its log tells more.").response()


def _of_aiohttp(error: web.HTTPException) -> ApiError:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return ApiError(error.status, error.reason.lower().replace(" ", "_"), f"{error.reason}.", headers=headers)
