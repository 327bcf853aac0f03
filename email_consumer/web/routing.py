"""What every route shares: access, reading input, the shape of responses and errors.

A handler carries its description (`operation`), from which the OpenAPI document is generated. A handler without one needs a
key and is not documented. HEAD is allowed wherever GET is (aiohttp's default), except on event streams, which never end.
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
from email_consumer.web.grant import Required

__all__ = ["JSON", "ApiError"]

Handler = TypeVar("Handler", bound=Callable[..., Any])
Model = TypeVar("Model", bound=BaseModel)
Entry = TypeVar("Entry")

_OPERATION = "__operation__"
_ANONYMOUS_BODY = 2**14
"""Default limit of a body on open routes, in bytes."""


class ApiModel(BaseModel):
    """Base of request and response models: snake_case is documented, camelCase accepted, unknown keys are ignored."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        defer_build=True,  # faster start: most models are never used in a process
    )


class RequestModel(ApiModel):
    """Base of what a request says in its body or its query.

    An unknown field is refused: a misspelled limit would be none, and a misspelled filter would stand for everything.
    """

    model_config = ConfigDict(extra="forbid")


class StatusCounts(ApiModel):
    """Number of mails by status."""

    Created: int
    Processed: int
    """Being sent, or in doubt."""
    Sent: int
    Failed: int
    Stopped: int


class LaneCounts(ApiModel):
    """`StatusCounts` of each lane; mail that names no lane is bulk mail."""

    transactional: StatusCounts
    bulk: StatusCounts


class ResultCounts(ApiModel):
    """Number of distinct recipients by result; other kinds of SES events are added when they occur."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, int]

    Delivery: int
    Bounce: int
    Complaint: int
    Open: int


class PageQuery(RequestModel):
    """Base of the query of a list."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """Maximum number of entries in a page."""
    after: Annotated[str, Field(max_length=400)] = ""
    """The `next` of the previous page; empty for the first page."""


class NumberedPageQuery(PageQuery):
    """Base of the query of a list that is ordered by a number."""

    after: Annotated[str, Field(pattern=r"^[0-9]{0,18}$")] = ""
    """The `next` of the previous page; empty for the first page."""


class PageAnswer(ApiModel):
    """Base of a page."""

    next: str | None
    """The `after` of the next page; null on the last one."""


def next_page(entries: Sequence[Entry], query: PageQuery, place: Callable[[Entry], object]) -> str | None:
    """The `next` of a page; `place` gives the position of an entry."""
    return str(place(entries[-1])) if len(entries) == query.limit else None


@dataclass(frozen=True, slots=True)
class Operation:
    """What the OpenAPI document says about a handler; `body` and `query` are what it passes to `read_body` and `read_query`."""

    summary: str
    body: type[BaseModel] | None = None
    body_type: str = JSON
    query: type[BaseModel] | None = None
    headers: Mapping[str, str] | None = None
    """Optional request headers with their purpose."""
    answer: type[BaseModel] | None = None
    """The JSON response; None if `answer_type` is not JSON, or without a response body."""
    answer_type: str = JSON
    status: int = 200
    not_found_type: str = JSON
    """Content type of a 404, which a person may see."""
    errors: Sequence[int] = ()
    """Error statuses beyond those that any route, its inputs and the key imply."""
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    """Further responses that are not errors."""
    open_to_all: bool = False
    """Needs no API key."""
    scope: Required = None
    """What a key must allow. Every operation that needs a key declares it."""
    documented: bool = True
    """Part of the OpenAPI document."""
    respond: Callable[[web.Request, ApiError], web.Response] = lambda _, error: error.response()
    """Makes the response of an error, for routes that follow another contract than ours."""
    audited: bool = False
    """Recorded in the audit log although it changes nothing."""


def operation(summary: str, **description: Any) -> Callable[[Handler], Handler]:  # noqa: ANN401 - fields of Operation
    """Describe a handler; see `Operation` for the arguments."""

    def mark(handler: Handler) -> Handler:
        setattr(handler, _OPERATION, Operation(summary, **description))
        return handler

    return mark


def operation_of(handler: object) -> Operation | None:
    """The description of a handler, if it has one."""
    found: Operation | None = getattr(handler, _OPERATION, None)
    return found


def answer(document: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON response."""
    return web.Response(status=status, text=document.model_dump_json(), content_type=JSON, headers=headers)


async def read_bytes(request: web.Request, *, at_most: int | None = None) -> bytes:
    """The whole body, of up to `at_most` bytes; by default the limit of the application, or of open routes.

    Raises:
        ApiError: 413 too large, 415 compressed, 400 truncated or badly framed, 408 too slow, 503 too many uploads.
    """
    if (
        request.headers.get("Content-Encoding", "identity") != "identity"
    ):  # a decompression bomb would turn a few bytes into gigabytes
        raise ApiError(415, "compressed", "Send the body uncompressed, without Content-Encoding.")
    operation = operation_of(request.match_info.handler)
    authenticated = operation is None or not operation.open_to_all
    if at_most is None:
        at_most = request.client_max_size if authenticated else _ANONYMOUS_BODY
    return await request.app[BODIES].read(request, at_most=at_most, authenticated=authenticated)


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """The JSON body as `model`.

    Raises:
        ApiError: as `read_json_bytes` and `parse_body`.
    """
    return parse_body(await read_json_bytes(request), model)


async def read_json_bytes(request: web.Request) -> bytes:
    """The body of a request whose Content-Type is JSON.

    Raises:
        ApiError: 415 another Content-Type; otherwise as `read_bytes`.
    """
    if request.content_type != JSON and not request.content_type.endswith("+json"):
        raise ApiError(415, "not_json", f"Send the body as {JSON}.")
    return await read_bytes(request)


def parse_body(body: bytes, model: type[Model], *, context: object = None, max_elements: int = MAX_ELEMENTS) -> Model:
    """A JSON document as `model`; `context` is passed to its validators.

    Raises:
        ApiError: 400 not JSON, 413 too many keys and values, 422 naming the fields that are wrong.
    """
    try:
        document = parse_json(body, max_elements)
        if not isinstance(document, dict):
            raise ApiError(422, "invalid", "The body must be a JSON object.", {"fields": []})
        return model.model_validate(document, context=context)
    except ValidationError as error:
        raise invalid(error) from None
    except TooManyElementsError as error:
        raise ApiError(413, "too_large", f"The body has {error}.") from None
    except ValueError as error:
        raise ApiError(400, "unreadable", f"The body is {error}.") from None


def read_query(request: web.Request, model: type[Model]) -> Model:
    """The query parameters as `model`; the first of a repeated parameter counts.

    Raises:
        ApiError: 422 naming the parameters that are wrong.
    """
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise invalid(error) from None


def invalid(error: ValidationError, place: str = "") -> ApiError:
    """A 422 that names the invalid fields; `place` is where the validated part is in the document."""
    lines = problems(error, place)
    return ApiError(
        422, "invalid", lines[0] if len(lines) == 1 else f"{len(lines)} errors; see fields.", {"fields": lines}
    )
