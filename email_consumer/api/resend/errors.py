"""Errors in the shape of Resend's API, under its names: https://resend.com/docs/api-reference/errors."""

from http import HTTPStatus

import orjson
from aiohttp import web

from email_consumer.web.errors import JSON, ApiError

_OF_CODE = {
    "key_reused": (HTTPStatus.CONFLICT, "invalid_idempotent_request"),
    "bad_key": (HTTPStatus.BAD_REQUEST, "invalid_idempotency_key"),
    "missing_required_field": (HTTPStatus.UNPROCESSABLE_ENTITY, "missing_required_field"),
    "forbidden": (HTTPStatus.UNAUTHORIZED, "restricted_api_key"),
}
_OF_STATUS = {
    HTTPStatus.BAD_REQUEST: (HTTPStatus.UNPROCESSABLE_ENTITY, "validation_error"),
    HTTPStatus.NOT_FOUND: (HTTPStatus.NOT_FOUND, "not_found"),
    HTTPStatus.METHOD_NOT_ALLOWED: (HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"),
    HTTPStatus.TOO_MANY_REQUESTS: (HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded"),
}


def respond(request: web.Request, error: ApiError) -> web.Response:
    """The response of an error that any part of the program raised."""
    status, name = error.status, "validation_error"
    if error.code in _OF_CODE:
        status, name = _OF_CODE[error.code]
    elif error.code == "unauthorized":
        given = "Authorization" in request.headers or "X-API-KEY" in request.headers
        status = HTTPStatus.FORBIDDEN if given else HTTPStatus.UNAUTHORIZED
        name = "invalid_api_key" if given else "missing_api_key"
    elif error.status in _OF_STATUS:
        status, name = _OF_STATUS[HTTPStatus(error.status)]
    elif error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        name = "application_error"
    document = {"statusCode": int(status), "name": name, "message": str(error)}
    return web.Response(
        status=int(status), body=orjson.dumps(document), content_type=JSON, headers=error.headers or None
    )


def invalid(message: str) -> ApiError:
    """A 422 for what can't be accepted, or can't be expressed here."""
    return ApiError(422, "invalid", message)
