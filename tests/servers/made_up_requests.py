"""Requests made up from an OpenAPI document, and answers held against it."""

import contextlib
import os
from traceback import format_exception
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.waiting import PATIENCE

EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "6"))
"""Good ones, and as many bad ones, for each operation; more find more."""
_ENDLESS = "text/event-stream"


def make_up_requests(url: str, document: dict[str, Any], key: str) -> int:
    """Send them to every operation and return their number; to be called in a process of its own.

    Hypothesis takes any use of `random` for one that makes examples unrepeatable, also by another thread.

    Raises:
        AssertionError: an answer is a fault of the server's, or not what the document says.
    """
    try:
        return _make_up(url, document, key)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - most of its kinds can't be sent to another process
        raise AssertionError("".join(format_exception(error))) from None


def _make_up(url: str, document: dict[str, Any], key: str) -> int:
    made = 0
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if _ENDLESS in str(operation.definition.raw):
            continue
        made += _send(url, key, operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        with contextlib.suppress(Unsatisfiable):  # nothing about it can be wrong
            made += _send(url, key, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    return made


def _send(url: str, key: str, cases: SearchStrategy[Any]) -> int:
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
        case.call_and_validate(base_url=url, headers={"X-API-KEY": key}, checks=checks, timeout=PATIENCE)

    send()
    return made
