"""What every HTTP route of ours shares: who may call it, how input is read, what an answer and an error look like.

A handler carries its own description (`operation`); the OpenAPI document is made from it, and a handler without one
needs a key and is not documented.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from email_consumer.message.problems import problems
from email_consumer.message.wire_format import MAX_ELEMENTS, TooManyElementsError, parse_json
from email_consumer.web.bodies import BODIES
from email_consumer.web.errors import JSON, ApiError

__all__ = ["JSON", "ApiError"]

Handler = TypeVar("Handler", bound=Callable[..., Any])
Model = TypeVar("Model", bound=BaseModel)
Entry = TypeVar("Entry")

_OPERATION = "__operation__"
_STRANGERS_BODY = 2**14
"""Bytes, where a route doesn't say otherwise."""


class ApiModel(BaseModel):
    """Base of request and answer models: snake_case is documented, camelCase accepted, unknown keys are ignored."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        defer_build=True,  # a process starts sooner: most of what it could be asked it never is
        use_attribute_docstrings=True,  # they are the descriptions in the OpenAPI document
    )


class StatusCounts(ApiModel):
    """How many mails have each status."""

    Created: int
    Processed: int
    """In hand, or in doubt."""
    Sent: int
    Failed: int
    Stopped: int


class ResultCounts(ApiModel):
    """How many distinct recipients have each result; further kinds of SES's events stand beside those named here."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, int]

    Delivery: int
    Bounce: int
    Complaint: int
    Open: int


class PageQuery(ApiModel):
    """Base of what a list is asked for."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """Entries in a page, at the most."""
    after: Annotated[str, Field(max_length=400)] = ""
    """What the page before answered as `next`; empty for the first page."""


class NumberedPageQuery(PageQuery):
    """Base of what a list is asked for whose entries are in the order of a number."""

    after: Annotated[str, Field(pattern=r"^[0-9]{0,18}$")] = ""
    """What the page before answered as `next`; empty for the first page."""


class PageAnswer(ApiModel):
    """Base of a page."""

    next: str | None
    """What to give as `after` for the next page; null on the last one."""


def next_page(entries: Sequence[Entry], query: PageQuery, place: Callable[[Entry], object]) -> str | None:
    """The `next` of a page of entries; `place` tells that of an entry."""
    return str(place(entries[-1])) if len(entries) == query.limit else None


@dataclass(frozen=True, slots=True)
class Operation:
    """What the OpenAPI document says of a handler. Models are of what `read_body` and `read_query` are called with."""

    summary: str
    body: type[BaseModel] | None = None
    body_type: str = JSON
    query: type[BaseModel] | None = None
    headers: Mapping[str, str] | None = None
    """Optional request headers and what each is for."""
    answer: type[BaseModel] | None = None
    """The JSON answer; None where `answer_type` is not JSON, or where there is none."""
    answer_type: str = JSON
    status: int = 200
    not_found_type: str = JSON
    """Of a 404, which a person may see."""
    errors: Sequence[int] = ()
    """Statuses it may fail with beyond those of any route and those that its inputs and the key imply."""
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    """Further answers that are no errors."""
    open_to_all: bool = False
    """No API key needed."""


def operation(summary: str, **description: Any) -> Callable[[Handler], Handler]:  # noqa: ANN401 - fields of Operation
    """Mark a handler; see `Operation` for the arguments."""

    def mark(handler: Handler) -> Handler:
        setattr(handler, _OPERATION, Operation(summary, **description))
        return handler

    return mark


def operation_of(handler: object) -> Operation | None:
    """The description that a handler carries."""
    found: Operation | None = getattr(handler, _OPERATION, None)
    return found


def answer(document: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, text=document.model_dump_json(), content_type=JSON, headers=headers)


async def read_bytes(request: web.Request, *, at_most: int | None = None) -> bytes:
    """The whole body; `at_most` bytes, or else what the application or a stranger is allowed.

    Raises:
        ApiError: 413 too large, 415 compressed, 400 broken off or badly framed, 408 too slow, 503 no room for it.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":  # a few bytes could become gigabytes
        raise ApiError(415, "compressed", "Send the body as it is, without a Content-Encoding.")
    operation = operation_of(request.match_info.handler)
    known = operation is None or not operation.open_to_all
    if at_most is None:
        at_most = request.client_max_size if known else _STRANGERS_BODY
    return await request.app[BODIES].read(request, at_most=at_most, known=known)


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """The JSON body as `model`.

    Raises:
        ApiError: as `read_json_bytes` and `parse_body`.
    """
    return parse_body(await read_json_bytes(request), model)


async def read_json_bytes(request: web.Request) -> bytes:
    """The body, which says of itself that it is JSON.

    Raises:
        ApiError: 415 it says something else; else as `read_bytes`.
    """
    if request.content_type != JSON and not request.content_type.endswith("+json"):
        raise ApiError(415, "not_json", f"Send the body as {JSON}.")
    return await read_bytes(request)


def parse_body(body: bytes, model: type[Model], *, context: object = None, max_elements: int = MAX_ELEMENTS) -> Model:
    """A JSON document as `model`; `context` is what its validators are handed.

    Raises:
        ApiError: 400 not JSON, 413 too many keys and values, 422 naming the fields that are wrong.
    """
    try:
        return model.model_validate(parse_json(body, max_elements), context=context)
    except ValidationError as error:
        raise invalid(error) from None
    except TooManyElementsError as error:
        raise ApiError(413, "too_large", f"The body has {error}.") from None
    except ValueError as error:
        raise ApiError(400, "unreadable", f"The body is {error}.") from None


def read_query(request: web.Request, model: type[Model]) -> Model:
    """The query parameters as `model`; one that is given twice counts once.

    Raises:
        ApiError: 422 naming the parameters that are wrong.
    """
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise invalid(error) from None


def invalid(error: ValidationError, place: str = "") -> ApiError:
    """A 422 that names what is wrong; `place` is that of the whole in what was sent."""
    lines = problems(error, place)
    return ApiError(422, "invalid", lines[0] if len(lines) == 1 else f"{len(lines)} faults.", {"fields": lines})
