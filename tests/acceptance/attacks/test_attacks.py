"""Nothing gets through, nothing is an error of ours, and meanwhile the daemon does its work as ever."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle

import pytest

from tests.acceptance.api.conftest import Api, serving
from tests.acceptance.attacks import credentials, fuzz
from tests.acceptance.attacks.raw import exchange, exchange_all, request
from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.acceptance.test_bombs import MEMORY, peak
from tests.servers.daemon import LogLine

MARK = b"known-to-those-with-a-key@example.com"
MOST_WARNINGS = 20
"""In the log, for all attacks of a test together."""


@pytest.fixture
async def api(harness: DaemonHarness) -> AsyncIterator[Api]:
    keys = (credentials.KEY.decode(), credentials.OTHER_KEY.decode())
    async with serving(harness, *keys, DASHBOARD_PUBLIC="true") as api:
        yield api


async def operations(api: Api) -> list[tuple[str, str]]:
    """Method and path of all that need a key."""
    _, document = await api.ask("GET", "/openapi.json")
    return [
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, one in item.items()
        if one.get("security") != []
    ]


def unusual(api: Api) -> list[LogLine]:
    """What the daemon has said so far that is not everyday news."""
    return [line for line in api.daemon.log if line.get("level") not in {"debug", "info"}]


async def test_no_wrong_credentials_open_anything(api: Api) -> None:
    attempts = credentials.attempts()
    assert len(attempts) >= 600
    await api.ask("POST", "/v1/suppressions", {"address": MARK.decode()})
    protected = await operations(api)
    assert len(protected) > 20
    requests = []
    for attempt, (method, path) in zip(attempts, cycle(protected), strict=False):
        target = (
            re.sub(r"\{\w+\}", MARK.decode(), path)
            .replace(f"/dead-letters/{MARK.decode()}", "/dead-letters/1")
            .encode()
        )
        body = b'{"address":"%s"}' % MARK if method == "POST" else b""
        headers = (*attempt.headers, b"Content-Type: application/json")
        requests.append(
            request(method.encode(), target + (b"?" + attempt.query if attempt.query else b""), headers, body)
        )
    attack = asyncio.create_task(exchange_all(api.port, requests))
    for _ in range(20):
        assert (await api.ask("GET", "/v1/suppressions"))[0] == 200  # right keys are not slowed
    answers = await attack
    got_through = [each for each in zip(requests, answers, strict=True) if each[1].status not in {400, 401, 429}]
    assert not got_through
    assert Counter(answer.status for answer in answers)[400] < 10  # all but a few came as far as the key's check
    assert {answer.error["code"] for answer in answers} <= {"unauthorized", "too_many_wrong_keys", "not_http"}
    assert not [answer for answer in answers if MARK in answer.body or credentials.KEY in answer.head + answer.body]
    _, listed = await api.ask("GET", "/v1/suppressions")
    assert [entry["address"] for entry in listed["suppressions"]] == [MARK.decode()]
    assert len(unusual(api)) < MOST_WARNINGS
    assert credentials.KEY.decode() not in str(api.daemon.log)


async def test_nothing_that_resembles_a_stored_key_opens_anything(api: Api) -> None:
    _, added = await api.ask("POST", "/v1/keys", {"name": "stored", "scopes": ["admin"]})
    key = added["key"].encode()
    wrong = {*credentials.likenesses(key), added["id"].encode(), added["hint"].encode()} - {key}
    targets = [request(b"GET", b"/v1/suppressions", (b"X-API-KEY: " + each,)) for each in (key, *wrong)]
    right, *answers = await exchange_all(api.port, targets)
    assert right.status == 200
    assert {answer.status for answer in answers} <= {400, 401, 429}
    assert len(answers) > 150
    assert added["key"] not in str(api.daemon.log)


async def test_a_session_that_ended_opens_nothing(api: Api) -> None:
    begun = await exchange(api.port, request(b"POST", b"/v1/session", (b"X-API-KEY: " + credentials.KEY,)))
    found = re.search(rb"email_consumer_session=([\w-]+)", begun.head)
    assert found
    cookie = b"Cookie: email_consumer_session=" + found[1]
    token = found[1]

    async def tried(*headers: bytes, method: bytes = b"GET") -> int:
        return (await exchange(api.port, request(method, b"/v1/suppressions", headers))).status

    assert await tried(cookie) == 200
    assert await tried(cookie, b"Sec-Fetch-Site: cross-site") == 403
    assert await tried(cookie, b"Sec-Fetch-Site: same-site") == 403
    assert await tried(cookie, b"Origin: https://evil.example", method=b"POST") == 403
    assert await tried(cookie, b"X-API-KEY: wrong") == 401
    assert await tried(cookie, b"Authorization: Basic eDp5") == 401
    for likeness in (token[:-1], token + b"0", token.lower(), token[::-1], b'"' + token + b'x"'):
        assert await tried(b"Cookie: email_consumer_session=" + likeness) == 401
    assert (
        await exchange(api.port, request(b"DELETE", b"/v1/session", (cookie, b"Sec-Fetch-Site: same-origin")))
    ).status == 204
    assert await tried(cookie) == 401


async def test_hundreds_of_requests_that_break_off_leave_few_lines(api: Api) -> None:
    whole = [
        request(b"GET", b"/health"),
        request(b"POST", b"/v1/events/results", (b"Content-Length: 100",), b"{}"),
        request(b"POST", b"/v1/messages", (b"X-API-KEY: " + credentials.KEY, b"Content-Length: 100"), b"{}"),
        request(b"POST", b"/v1/unsubscribe/x", (b"Transfer-Encoding: chunked",), b"2\r\n{}\r\n"),
        request(b"POST", b"/v1/suppressions", (b"Transfer-Encoding: chunked",), b"2\r\n{}\r\nzz\r\n"),
        request(b"GET", b"/v1/live/public"),
        *fuzz.NO_HTTP,
    ]
    for number in range(600):
        data = whole[number % len(whole)]
        _, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(data[: len(data) - number % 7])
        if number % 2:
            await writer.drain()
            writer.write_eof()
        else:
            writer.transport.abort()
        writer.close()
    assert (await api.ask("GET", "/health"))[0] == 200
    assert len(unusual(api)) < MOST_WARNINGS
    assert not [line for line in unusual(api) if line["level"] != "warning"]


async def test_no_odd_request_is_an_error_of_ours(api: Api) -> None:
    _, document = await api.ask("GET", "/openapi.json")
    fuzzed = fuzz.requests(document, credentials.KEY)
    assert len(fuzzed) >= 1_900
    answers = await exchange_all(api.port, [each.data for each in fuzzed])
    both = list(zip(fuzzed, answers, strict=True))
    assert not [each for each in both if each[1].status >= 500]
    for each, answer in both:
        if answer.status >= 400 and b"text/html" not in answer.head and not each.data.startswith(b"HEAD"):
            assert answer.error["message"], each
        if each.operation and answer.status:
            method, path = each.operation
            assert str(answer.status) in document["paths"][path][method]["responses"], (each, answer)
        if answer.status in range(200, 400) and each.operation and credentials.KEY not in each.data:
            method, path = each.operation
            assert document["paths"][path][method].get("security") == [], (each, answer)
        assert b"X-Injected: yes" not in answer.head
    assert len(unusual(api)) < MOST_WARNINGS
    assert not [line for line in unusual(api) if line["level"] != "warning"]
    assert peak(api.daemon.pid) < MEMORY
    assert api.daemon.count("daemon.started") == 1
    await api.harness.publisher.publish([as_map("after-all")])
    await api.harness.emptied()
    assert (await api.harness.sent())["after-all"] == 1
