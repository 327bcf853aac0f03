"""All routes of all stages, as the running daemon describes them."""

import asyncio

from openapi_spec_validator import validate

from tests.acceptance.sidecar.conftest import KEY, Api
from tests.servers.made_up_requests import make_up_requests


async def test_no_made_up_request_finds_a_fault_of_the_daemon(api: Api) -> None:
    _, document = await api.ask("GET", "/openapi.json")
    validate(document)
    assert {"/v1/messages", "/v1/events/results", "/v1/suppressions"} <= set(document["paths"])
    url = f"http://127.0.0.1:{api.port}"
    assert await asyncio.to_thread(make_up_requests, url, document, KEY) > 200
    assert not api.daemon.count("api.crashed")
