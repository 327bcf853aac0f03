"""Who is let in, what a fault looks like, health, dead letters."""

import asyncio
from typing import Any

from tests.factories import payload
from tests.integration.api.harness import OLD_KEY, ApiHarness
from tests.servers.nats import NatsServer

PROTECTED = [
    ("POST", "/v1/messages"),
    ("GET", "/v1/messages/u"),
    ("GET", "/v1/topics/t"),
    ("DELETE", "/v1/topics/t"),
    ("GET", "/v1/events/counts/sent"),
    ("GET", "/v1/results/sent"),
    ("GET", "/v1/results/count/p"),
    ("GET", "/v1/dead-letters"),
    ("GET", "/v1/dead-letters/1"),
    ("DELETE", "/v1/dead-letters/1"),
    ("POST", "/v1/dead-letters/1/replay"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
]


async def test_protected_routes_want_a_key_and_do_not_say_why(harness: ApiHarness) -> None:
    refused = (401, {"error": {"code": "unauthorized", "message": "Missing or invalid API key."}})
    at_once = asyncio.Semaphore(30)  # wrong keys are answered after a second, and more than 32 at a time with 429

    async def check(method: str, path: str, key: str) -> None:
        async with at_once:
            assert await harness.ask(method, path, headers={"X-API-KEY": key}) == refused, (method, path, key)

    keys = ("", "wrong", "key-", "key-1x", "ключ")
    await asyncio.gather(*(check(method, path, key) for method, path in PROTECTED for key in keys))


async def test_each_key_opens_also_as_a_bearer_token(harness: ApiHarness) -> None:
    for headers in ({"X-API-KEY": OLD_KEY}, {"X-API-KEY": "", "Authorization": f"Bearer {OLD_KEY}"}):
        async with harness.session.get(f"{harness.url}/metrics", headers=headers) as response:
            assert (response.status, await response.text()) == (200, "email_sent_total 0\n")


ERRORS = [
    ("GET", "/nowhere", None, "", 404, "not_found"),
    ("PUT", "/v1/messages", b"{}", "application/json", 405, "method_not_allowed"),
    ("POST", "/v1/messages", b"{", "application/json", 400, "unreadable"),
    ("POST", "/v1/messages", b"\xff", "application/json", 400, "unreadable"),
    ("POST", "/v1/messages", b'{"messages": "\\ud800"}', "application/json", 400, "unreadable"),
    ("POST", "/v1/messages", b"{}", "text/plain", 415, "not_json"),
    ("POST", "/v1/messages", b"[]", "application/json", 422, "invalid"),
    ("POST", "/v1/messages", b"{}", "application/json", 422, "invalid"),
]


async def test_all_errors_have_one_shape(harness: ApiHarness) -> None:
    for method, path, body, content_type, status, code in ERRORS:
        headers = {"Content-Type": content_type} if content_type else {}
        async with harness.session.request(method, harness.url + path, data=body, headers=headers) as response:
            answer = await response.json()
        assert (response.status, answer["error"]["code"]) == (status, code)
        assert answer["error"]["message"]


async def test_large_and_compressed_bodies_are_refused(harness: ApiHarness) -> None:
    async def chunks() -> Any:
        for _ in range(17):
            yield b" " * 2**20

    json = {"Content-Type": "application/json"}
    async with harness.session.post(f"{harness.url}/v1/messages", data=chunks(), headers=json) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (413, "too_large")
    packed = json | {"Content-Encoding": "gzip"}
    async with harness.session.post(f"{harness.url}/v1/messages", data=b"x", headers=packed) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (415, "compressed")


async def test_readiness_names_what_is_down(harness: ApiHarness, server: NatsServer) -> None:
    assert await harness.ask("GET", "/health", headers={"X-API-KEY": ""}) == (200, {"status": "ok"})
    ready = {
        "ready": True,
        "up": ["nats", "sqlite"],
        "down": [],
        "reasons": {},
        "safe_mode": "off",
        "holds": 0,
        "limited_tenants": 0,
    }
    assert await harness.ask("GET", "/ready", headers={"X-API-KEY": ""}) == (200, ready)
    await server.kill()
    while harness.client.is_connected:
        await harness.ask("GET", "/health")
    reasons = {"nats": "not connected"}
    down = ready | {"ready": False, "up": ["sqlite"], "down": ["nats"], "reasons": reasons}
    while (answer := await harness.ask("GET", "/ready"))[0] == 200:  # what was seen a moment ago
        pass
    assert answer == (503, down)
    await server.restart()
    while (await harness.ask("GET", "/ready"))[0] == 503:
        pass


async def test_dead_letters_are_listed_shown_and_replayed(harness: ApiHarness) -> None:
    jetstream = harness.client.jetstream()
    message = payload()
    await jetstream.publish("messages-dead.rejected", message, headers={"Email-Reason": "no"})
    await jetstream.publish("messages-dead.undecodable", b"\xc1")
    _, listed = await harness.ask("GET", "/v1/dead-letters")
    assert [(letter["sequence"], letter["kind"], letter["reason"]) for letter in listed["dead_letters"]] == [
        (1, "rejected", "no"),
        (2, "undecodable", ""),
    ]
    _, listed = await harness.ask("GET", "/v1/dead-letters?kind=undecodable&limit=5&after=0")
    assert [letter["sequence"] for letter in listed["dead_letters"]] == [2]
    _, shown = await harness.ask("GET", "/v1/dead-letters/1")
    assert (shown["message"]["email"], shown["headers"]) == ("a@example.com", {"Email-Reason": "no"})
    _, shown = await harness.ask("GET", "/v1/dead-letters/2")
    assert (shown["message"], shown["payload"]) == (None, "wQ==")
    assert await harness.ask("POST", "/v1/dead-letters/1/replay") == (200, {"sequence": 1, "uuid": "u-1"})
    (replayed,) = await harness.pull(1)
    assert replayed.uuid == "u-1"
    for path in ("/v1/dead-letters/1", "/v1/dead-letters/99999999999999999999999"):
        status, answer = await harness.ask("GET", path)
        assert (status, answer["error"]["code"]) == (404, "not_found")


async def test_a_conflict_is_replayed_under_a_new_uuid_only(harness: ApiHarness) -> None:
    message = payload()
    await harness.client.jetstream().publish("messages-dead.conflict", message)
    status, answer = await harness.ask("POST", "/v1/dead-letters/1/replay")
    assert (status, answer["error"]["code"]) == (409, "not_replayed")
    assert "new_uuid=true" in answer["error"]["message"]
    status, answer = await harness.ask("POST", "/v1/dead-letters/1/replay?newUuid=true")
    (replayed,) = await harness.pull(1)
    assert (status, answer) == (200, {"sequence": 1, "uuid": replayed.uuid})
    assert (replayed.uuid, replayed.email) != ("u-1", "a@example.com")


async def test_lists_are_paged_alike_and_refuse_what_they_do_not_know(harness: ApiHarness) -> None:
    status, page = await harness.ask("GET", "/v1/dead-letters?limit=1")
    assert (status, page) == (200, {"dead_letters": [], "next": None})
    for query in (
        "kind=nonsense",
        "after=x",
        "after=-1",
        "after=1e3",
        "after=9999999999999999999",
        "limit=0",
        "limit=x",
    ):
        status, answer = await harness.ask("GET", f"/v1/dead-letters?{query}")
        assert (status, answer["error"]["code"]) == (422, "invalid"), query
