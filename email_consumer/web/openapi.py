"""The OpenAPI document (https://spec.openapis.org/oas/v3.1.0), generated from the `operation` on each handler."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue, models_json_schema

from email_consumer.web.described_schema import DescribedSchema
from email_consumer.web.grant import ANY_KEY
from email_consumer.web.routing import JSON, ApiModel, Operation, operation, operation_of

_PLACEHOLDER = re.compile(r"\{(\w+)(?::([^{}]*))?\}")  # aiohttp's {name:regex}
_REFERENCE = "#/components/schemas/{model}"

Shape = tuple[type[BaseModel], JsonSchemaMode]
"""A model for validation or for serialization; their schemas may differ."""
References = Mapping[Any, JsonSchemaValue]
"""The `$ref` for each `Shape`."""


class ErrorDetail(ApiModel):
    """`code` is stable and for programs, `message` is for people, `fields` names the invalid fields."""

    code: str
    message: str
    fields: list[str] | None = None


class ErrorResponse(ApiModel):
    """Every error has this shape."""

    error: ErrorDetail


_ERROR: Shape = (ErrorResponse, "serialization")

_OF_ANY_ROUTE = frozenset({400, 417, 421, 500, 503})
"""Malformed HTTP or target; unknown `Expect`; foreign Host in local mode; internal error; a dependency is down."""
_WITH_A_KEY = frozenset({401, 403, 429})
"""Missing or wrong key; another site uses a browser session; too many wrong keys."""
_WITH_A_BODY = frozenset({400, 408, 413, 415, 422, 503})
_WITH_A_QUERY = frozenset({422})
_WITH_A_PLACEHOLDER = frozenset({404})


def document_route(routes: Iterable[web.RouteDef], version: str) -> web.RouteDef:
    """`GET /openapi.json`, which describes itself too; generated on first use."""
    routes = list(routes)

    @cache
    def body() -> bytes:
        return orjson.dumps(document([*routes, route], version))

    @operation("This document", scope=ANY_KEY)
    async def openapi(_request: web.Request) -> web.Response:
        # The first call takes a tenth of a second, too long for the event loop.
        return web.Response(body=await asyncio.to_thread(body), content_type=JSON)

    route = web.get("/openapi.json", openapi)
    return route


def document(routes: Iterable[web.RouteDef], version: str) -> dict[str, Any]:
    """The document, with all routes whose handlers carry an `operation`."""
    described = [(route, found) for route in routes if (found := operation_of(route.handler)) and found.documented]
    models: set[Shape] = {_ERROR}
    for _, found in described:
        models |= {(model, "validation") for model in (found.body,) if model}
        models |= {(model, "serialization") for model in (found.answer, *found.also.values()) if model}
    ordered = sorted(models, key=lambda shape: (shape[0].__name__, shape[1]))
    references, definitions = models_json_schema(
        ordered, by_alias=False, ref_template=_REFERENCE, schema_generator=DescribedSchema
    )
    schemas = definitions["$defs"]
    for schema in schemas.values():
        for one in schema.get("properties", {}).values():
            one.pop("default", None)  # some generators (openapi-typescript) treat a field with a default as required
    for _, found in described:
        if found.query:
            schemas |= _query_schema(found.query).get("$defs", {})
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for route, found in described:
        path = _PLACEHOLDER.sub(r"{\1}", route.path)
        described_route = _describe(route, found, references)
        if described_route["operationId"] in names:  # the same handler under a path of an earlier service
            described_route["operationId"] += f"_by_{route.path.rpartition('/')[2]}"
            described_route["deprecated"] = True
        names.add(described_route["operationId"])
        paths.setdefault(path, {})[route.method.lower()] = described_route
    return {
        "openapi": "3.1.0",
        "info": {"title": "email-consumer", "version": version},
        "tags": [{"name": name} for name in sorted({_tag(route.path) for route, _ in described})],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"key": []}, {"bearer": []}],
    }


def _describe(route: web.RouteDef, found: Operation, references: References) -> dict[str, Any]:
    tag = _tag(route.path)
    described: dict[str, Any] = {
        "summary": found.summary,
        "operationId": f"{tag.replace('-', '_')}_{route.handler.__name__}",
        "tags": [tag],
        "parameters": _parameters(route, found),
        "responses": _responses(route, found, references),
    }
    if found.body:
        content = {found.body_type: {"schema": references[found.body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    if found.open_to_all:
        described["security"] = []
    else:
        described["x-scope"] = found.scope
    return described


def _tag(path: str) -> str:
    """The group in generated clients: `/v1/dead-letters/…` belongs to `dead-letters`."""
    named = re.match(r"/v1/([a-z-]+)", path)
    return named[1] if named else "service"


def _parameters(route: web.RouteDef, found: Operation) -> list[dict[str, Any]]:
    text = {"type": "string", "minLength": 1}
    number = {"type": "integer", "minimum": 0}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": number if rule == r"\d+" else text}
        for name, rule in _PLACEHOLDER.findall(route.path)
    ]
    for name, purpose in (found.headers or {}).items():
        parameters.append({"name": name, "in": "header", "description": purpose, "schema": text})
    if found.query:
        schema = _query_schema(found.query)
        required = schema.get("required", [])
        for name, of_one in schema.get("properties", {}).items():
            parameters.append(
                {
                    "name": name,
                    "in": "query",
                    "required": name in required,
                    "description": of_one.pop("description", ""),
                    "schema": of_one,
                }
            )
    return parameters


def _responses(route: web.RouteDef, found: Operation, references: References) -> Mapping[str, Any]:
    if found.answer:
        schema = references[found.answer, "serialization"]
    else:
        schema = {} if found.answer_type == JSON else {"type": "string"}
    good: dict[str, Any] = {"description": HTTPStatus(found.status).phrase}
    if found.status != HTTPStatus.NO_CONTENT:
        good["content"] = {found.answer_type: {"schema": schema}}
    errors = _OF_ANY_ROUTE.union(found.errors)
    if not found.open_to_all:
        errors |= _WITH_A_KEY
    if found.body:
        errors |= _WITH_A_BODY
    if found.query:
        errors |= _WITH_A_QUERY
    if _PLACEHOLDER.search(route.path):
        errors |= _WITH_A_PLACEHOLDER
    others = dict.fromkeys(errors, references[_ERROR])
    others |= {status: references[model, "serialization"] for status, model in found.also.items()}
    content = {status: {JSON: {"schema": schema}} for status, schema in sorted(others.items())}
    if HTTPStatus.NOT_FOUND in content and found.not_found_type != JSON:
        content[HTTPStatus.NOT_FOUND] = {found.not_found_type: {"schema": {"type": "string"}}}
    return {str(found.status): good} | {
        str(status): {"description": HTTPStatus(status).phrase, "content": each} for status, each in content.items()
    }


def _query_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=False, ref_template=_REFERENCE, schema_generator=DescribedSchema)
