"""Requests and what their answers mean, shared by the two HTTP clients; nothing here does I/O."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx

from email_consumer_client.answers import ListedMail
from email_consumer_client.errors import (
    AccessError,
    ApiError,
    InvalidRequestError,
    NotFoundError,
    UnexpectedAnswerError,
    UnreachableError,
)
from email_consumer_client.message import Message, as_json

_FIRST_PAUSE = 0.2
"""Seconds before the first repetition; twice that before the second, and so on."""
_LONGEST_PAUSE = 10.0
"""Also for what a `Retry-After` asks for."""
_PAGE = 200
"""Mails of a list that are asked for at a time, the most that the API gives."""
_AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which the same request is worth repeating."""
_ERRORS: Mapping[int, type[ApiError]] = {
    400: InvalidRequestError,
    401: AccessError,
    403: AccessError,
    404: NotFoundError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One that can be repeated without a second effect."""

    method: str
    path: str
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def sending(messages: Sequence[Message], idempotency_key: str | None) -> Request:
    """`POST /v1/messages`.

    Raises:
        ValueError: a message has a `uuid`, which the HTTP API assigns itself.
    """
    for message in messages:
        if message.uuid is not None:
            raise ValueError("uuid: over HTTP the uuid is assigned; give an idempotency_key instead")
    headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key or str(uuid4())}
    content = json.dumps({"messages": [as_json(each) for each in messages]}).encode()
    return Request("POST", "/v1/messages", content, headers)


def of_mail(uuid: str) -> Request:
    return Request("GET", f"/v1/messages/{quote(uuid, safe='')}")


def of_list(narrowed: Mapping[str, str | datetime | None], after: str) -> Request:
    """A page of `GET /v1/messages`."""
    given = {name: value for name, value in narrowed.items() if value is not None}
    texts = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
    return Request("GET", f"/v1/messages?{urlencode({**texts, 'limit': _PAGE, 'after': after})}")


def read_page(page: Mapping[str, Any]) -> tuple[list[ListedMail], str | None]:
    """The mails, and where the next page begins."""
    return [ListedMail.from_json(each) for each in page["mails"]], page["next"]


def of_topic(topic_id: str, method: str = "GET") -> Request:
    return Request(method, f"/v1/topics/{quote(topic_id, safe='')}")


def pause_before_repeating(result: httpx.Response | httpx.TransportError, repetitions: int) -> float | None:
    """Seconds after which to repeat the request; None: `result` is final.

    Args:
        result: of the latest attempt.
        repetitions: how often the request was repeated already.
    """
    pause: float = min(_FIRST_PAUSE * 2**repetitions, _LONGEST_PAUSE)
    if isinstance(result, httpx.Response):
        if result.status_code not in _AGAIN:
            return None
        asked = result.headers.get("Retry-After", "")
        if asked.isdecimal():
            pause = min(float(asked), _LONGEST_PAUSE)
    return pause * random.uniform(1, 1.5)  # noqa: S311 - spreads clients, nothing secret


def read_answer(result: httpx.Response | httpx.TransportError) -> Mapping[str, Any]:
    """The JSON document of a final answer.

    Raises:
        UnreachableError: there is no answer, or one that only asks to try again.
        ApiError: the API refused the request.
        UnexpectedAnswerError: something else answered.
    """
    if isinstance(result, httpx.TransportError):
        raise UnreachableError(f"{result.request.url}: {str(result) or type(result).__name__}") from result
    try:
        document = result.json()
    except ValueError:
        document = None
    if result.is_success and isinstance(document, dict):
        return document
    error = _error(result.status_code, document)
    if error is None:
        status = f"{result.status_code} {result.reason_phrase}"
        if result.status_code in _AGAIN:
            raise UnreachableError(f"{result.request.url}: {status}")
        raise UnexpectedAnswerError(f"{result.request.url}: {status}, which is no answer of email_consumer")
    if result.status_code in _AGAIN:
        raise UnreachableError(f"{result.request.url}: {error}") from error
    raise error


def _error(status: int, document: object) -> ApiError | None:
    """From our shape, `{"error": {"code", "message", …}}`, or from a problem document (RFC 9457)."""
    match document:
        case {"error": {"message": str(message), **details}}:
            pass
        case {"detail": str(message), **details} | {"title": str(message), **details}:
            pass
        case _:
            return None
    named = {str(name): value for name, value in details.items()}
    return _ERRORS.get(status, ApiError)(status, str(named.get("code", "")), message, named)
