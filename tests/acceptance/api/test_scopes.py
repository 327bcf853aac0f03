"""Every route of the whole daemon with a key of every scope."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.acceptance.api.conftest import Api, serving
from tests.acceptance.conftest import DaemonHarness

SCOPES = ("send", "read", "admin")
ANY = "any key"
OF_RESEND: dict[tuple[str, str], str | None] = {
    ("POST", "/emails"): "send",
    ("POST", "/emails/batch"): "send",
    ("GET", "/emails/{id}"): "read",
    ("PATCH", "/emails/{id}"): "send",
    ("POST", "/emails/{id}/cancel"): "send",
}
"""Routes of another contract, which the OpenAPI document leaves out."""


@pytest.fixture
async def api(harness: DaemonHarness) -> AsyncIterator[Api]:
    """With all routes that there are."""
    async with serving(harness, EVENTS_OUT="nats,webhooks") as served:
        yield served


async def protected(api: Api) -> dict[tuple[str, str], str | None]:
    """The scope that each operation declares; None where it declares none."""
    _, document = await api.ask("GET", "/openapi.json")
    return {**OF_RESEND} | {
        (method.upper(), path): one.get("x-scope")
        for path, item in document["paths"].items()
        for method, one in item.items()
        if one.get("security") != []
    }


async def status_of(api: Api, method: str, path: str, key: str) -> tuple[int, str]:
    """Status and error message of a request without a body; an endless answer is not read."""
    url = f"http://127.0.0.1:{api.port}" + re.sub(r"\{\w+\}", "1", path)
    async with aiohttp.request(method, url, headers={"X-API-KEY": key}) as response:
        if response.ok:
            return response.status, ""
        answer: dict[str, Any] = await response.json()
        return response.status, str(answer.get("error", answer).get("message"))


async def test_each_route_opens_to_its_scope_alone(api: Api) -> None:
    routes = await protected(api)
    assert not [route for route, scope in routes.items() if scope not in {*SCOPES, ANY}], "declare their scopes"
    counts = Counter(routes.values())
    assert counts["admin"] > 15
    assert counts["read"] > 15
    assert [
        route for route, scope in routes.items() if scope == ANY and route[1] not in {"/v1/session", "/openapi.json"}
    ] == []
    assert [route for route, scope in routes.items() if scope == "read" and route[0] != "GET"] == []
    keys = {}
    for scope in SCOPES:
        status, added = await api.ask("POST", "/v1/keys", {"name": scope, "scopes": [scope]})
        assert status == 200
        keys[scope] = added["key"]
    for (method, path), required in routes.items():
        for scope, key in keys.items():
            status, message = await status_of(api, method, path, key)
            if required in {scope, ANY} or scope == "admin":
                assert status not in {401, 403, 500}, (method, path, scope, message)
            else:
                assert status == (401 if (method, path) in OF_RESEND else 403), (method, path, scope)
                assert message == f"This key lacks the scope {required}."
        assert (await status_of(api, method, path, "wrong"))[0] in (
            {403, 429} if (method, path) in OF_RESEND else {401, 429}
        )


@pytest.mark.parametrize("scope", ["send"])
async def test_a_key_that_may_only_send_reads_nothing(api: Api, scope: str) -> None:
    routes = await protected(api)
    _, added = await api.ask("POST", "/v1/keys", {"name": scope, "scopes": [scope]})
    opened = [
        (method, path)
        for method, path in routes
        if method == "GET" and (await status_of(api, method, path, added["key"]))[0] not in {401, 403}
    ]
    assert opened == [("GET", "/openapi.json")]
