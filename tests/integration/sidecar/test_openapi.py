"""The OpenAPI document, and requests made up from it."""

import asyncio
import contextlib
import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.integration.sidecar.stage import KEY, Stage

EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "8"))
"""Requests made up for each operation; more find more."""


async def document(stage: Stage) -> dict[str, Any]:
    _, found = await stage.ask("GET", "/openapi.json")
    assert isinstance(found, dict)
    return found


async def test_the_document_is_valid_and_names_every_route(stage: Stage) -> None:
    found = await document(stage)
    validate(found)
    assert {(method.upper(), path) for path, item in found["paths"].items() for method in item} >= {
        ("POST", "/v1/messages"),
        ("GET", "/v1/topics/{topic_id}"),
        ("DELETE", "/v1/topics/{topic_id}"),
        ("GET", "/v1/messages/{uuid}"),
        ("GET", "/v1/events/counts/sent"),
        ("GET", "/v1/events/open"),
        ("GET", "/v1/results/sent"),
        ("GET", "/v1/results/count/{plan_id}"),
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
    }
    open_to_all = {path for path, item in found["paths"].items() for one in item.values() if one.get("security") == []}
    assert open_to_all == {"/health", "/ready", "/v1/events/open"}


async def test_no_made_up_request_finds_a_fault_of_ours(stage: Stage) -> None:
    schema = schemathesis.openapi.from_dict(await document(stage))

    def make_up_requests() -> int:
        made = 0
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            made += _send(stage.url, operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
            with contextlib.suppress(Unsatisfiable):  # nothing about it can be wrong
                made += _send(stage.url, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        return made

    assert await asyncio.to_thread(make_up_requests) > 100


def _send(url: str, cases: SearchStrategy[Any]) -> int:
    """Send so many made-up requests and hold the answers against the document; their number."""
    made = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def send(case: Any) -> None:
        nonlocal made
        made += 1
        checks = [not_a_server_error, response_schema_conformance, status_code_conformance]
        case.call_and_validate(base_url=url, headers={"X-API-KEY": KEY}, checks=checks)

    send()
    return made
