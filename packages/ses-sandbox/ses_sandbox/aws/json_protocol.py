"""Answers in the `rest-json` protocol, as SES v2 speaks it."""

import sqlite3
from typing import Any

import orjson
from aiohttp import web

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.fault_responses import Handler, ServedHandler, with_fault_responses
from ses_sandbox.identifiers import random_uuid

_JSON = "application/json"


def answer(document: dict[str, Any]) -> web.Response:
    """A 200 with the operation's output."""
    return web.Response(body=orjson.dumps(document), content_type=_JSON, headers={"x-amzn-RequestId": random_uuid()})


def error_answer(error: AwsError) -> web.Response:
    """The error as botocore reads it: the code in a header, the text in the body."""
    return web.Response(
        status=error.status,
        body=orjson.dumps({"message": error.message}),
        content_type=_JSON,
        headers={"x-amzn-RequestId": random_uuid(), "x-amzn-ErrorType": error.code},
    )


def read_document(body: bytes) -> dict[str, Any]:
    """The input of an operation.

    Raises:
        AwsError: SerializationException, if it isn't a JSON object.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise AwsError("SerializationException", f"The request body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise AwsError("SerializationException", "The request body is not a JSON object")
    return document


def read_tags(document: dict[str, Any]) -> dict[str, str]:
    """The `Tags` of an operation's input."""
    return {tag["Key"]: tag["Value"] for tag in document.get("Tags") or ()}


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as outputs have them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def rest_json(handler: Handler) -> ServedHandler:
    """Let an operation raise `AwsError`, or what a scripted fault asks for, anywhere below."""

    async def operation(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except AwsError as error:
            return error_answer(error)
        except LookupError as missing:
            return error_answer(AwsError("BadRequestException", f"Missing member {missing}"))
        except sqlite3.Error as error:
            return error_answer(AwsError("InternalFailure", str(error)))

    return with_fault_responses(operation)
