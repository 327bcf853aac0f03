"""Answers in the `rest-json` protocol, as SES v2 speaks it."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import web

from email_consumer.sandbox.aws.errors import AwsError, BareStatus, ConnectionCut

_JSON = "application/json"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(document: dict[str, Any]) -> web.Response:
    """A 200 with the operation's output."""
    return web.Response(body=orjson.dumps(document), content_type=_JSON, headers={"x-amzn-RequestId": str(uuid4())})


def error_answer(error: AwsError) -> web.Response:
    """The error as botocore reads it: the code in a header, the text in the body."""
    return web.Response(
        status=error.status,
        body=orjson.dumps({"message": error.message}),
        content_type=_JSON,
        headers={"x-amzn-RequestId": str(uuid4()), "x-amzn-ErrorType": error.code},
    )


def rest_json(handler: Handler) -> Handler:
    """Let an operation raise `AwsError`, and a fault cut the connection, anywhere below."""

    async def operation(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except AwsError as error:
            return error_answer(error)
        except BareStatus as bare:
            return web.Response(status=bare.status)
        except sqlite3.Error as error:
            return error_answer(AwsError("InternalFailure", str(error)))
        except ConnectionCut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # never reaches anyone; aiohttp wants an answer

    return operation
