"""JSON in and out of the control routes."""

from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

_LONGEST_NUMBER = 18
"""Digits that always fit into the 64 bits of SQLite."""
_LONGEST_PATIENCE = 86_400

Model = TypeVar("Model", bound=BaseModel)


def reply(document: Any, status: int = 200) -> web.Response:  # noqa: ANN401 - whatever JSON can say
    """A JSON answer."""
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")


async def read_model(request: web.Request, model: type[Model]) -> Model:
    """The body as `model`.

    Raises:
        web.HTTPBadRequest: saying what is wrong with it, as JSON.
    """
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise bad_request(error.errors(include_url=False, include_context=False, include_input=False)) from None


def number(request: web.Request, name: str, default: int) -> int:
    """A query parameter that is a whole number, 0 or more.

    Raises:
        web.HTTPBadRequest: if it is anything else.
    """
    text = request.query.get(name, str(default))
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER:
        raise bad_request(f"{name} must be a whole number, not {text!r}")
    return int(text)


def patience(request: web.Request) -> float:
    """The query parameter `timeout` in seconds, 30 by default.

    Raises:
        web.HTTPBadRequest: if it is no number.
    """
    text = request.query.get("timeout", "30")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _LONGEST_PATIENCE:
        raise bad_request(f"timeout must be a number of seconds up to {_LONGEST_PATIENCE}, not {text!r}")
    return seconds


def bad_request(error: object) -> web.HTTPBadRequest:
    """A 400 that says, as JSON, what is wrong."""
    return web.HTTPBadRequest(text=orjson.dumps({"error": error}).decode(), content_type="application/json")
