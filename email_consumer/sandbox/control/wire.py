"""JSON in and out of the control routes."""

from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

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
        document = {"error": error.errors(include_url=False, include_context=False, include_input=False)}
        raise web.HTTPBadRequest(body=orjson.dumps(document), content_type="application/json") from None


def number(request: web.Request, name: str, default: int) -> int:
    """A query parameter that is a whole number, 0 or more.

    Raises:
        web.HTTPBadRequest: if it is anything else.
    """
    text = request.query.get(name, str(default))
    if not text.isdecimal():
        document = {"error": f"{name} must be a whole number, not {text!r}"}
        raise web.HTTPBadRequest(body=orjson.dumps(document), content_type="application/json")
    return int(text)
