"""The error that a handler raises to end a request."""

from collections.abc import Mapping

import orjson
from aiohttp import web

JSON = "application/json"


class ApiError(Exception):
    """Ends a request with `{"error": {"code", "message", …}}`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Mapping[str, object] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`code` is for programs and stable; `message` is for people; `details` are further fields of the error."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        document = {"error": {"code": self.code, "message": str(self), **self.details}}
        return web.Response(
            status=self.status, body=orjson.dumps(document), content_type=JSON, headers=self.headers or None
        )
