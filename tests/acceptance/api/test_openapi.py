"""All routes of all stages, as the running daemon describes them."""

import asyncio
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from openapi_spec_validator import validate
from yarl import URL

from tests.acceptance.api.conftest import KEY, Api
from tests.servers.made_up_requests import make_up_requests


async def test_generated_requests_find_no_internal_error(api: Api) -> None:
    _, document = await api.ask("GET", "/openapi.json")
    validate(document)
    assert {"/v1/messages", "/v1/events/results", "/v1/suppressions"} <= set(document["paths"])
    url = f"http://127.0.0.1:{api.port}"
    with ProcessPoolExecutor(1, get_context("spawn")) as another:
        assert await asyncio.get_running_loop().run_in_executor(another, make_up_requests, url, document, KEY) > 200
    assert not api.daemon.count("api.crashed")


async def test_every_route_names_what_the_front_door_answers(api: Api) -> None:
    """A client generated from the document can read these, too."""
    _, document = await api.ask("GET", "/openapi.json")
    operations = [(method, path, one) for path, item in document["paths"].items() for method, one in item.items()]
    assert len(operations) > 20
    for method, path, one in operations:
        url = f"http://127.0.0.1:{api.port}" + re.sub(r"\{\w+\}", "1", path)
        tried = [(400, f"{url}?a=%00", {}), (417, url, {"Expect": "rain"})]
        if one.get("security") != []:
            tried.append((401, url, {"X-API-KEY": ""}))
        for status, target, headers in tried:
            async with api.session.request(method, URL(target, encoded=True), headers=headers) as response:
                assert (response.status, response.content_type) == (status, "application/json"), (method, path)
                assert set((await response.json())["error"]) == {"code", "message"}
            assert str(status) in one["responses"], (method, path)
        assert {"400", "417", "421", "500", "503"} <= set(one["responses"])
        assert ({"401", "403", "429"} <= set(one["responses"])) or one.get("security") == []
        assert ({"408", "413", "415", "422"} <= set(one["responses"])) or "requestBody" not in one
