"""What never reaches the application is answered like everything else, and is no error of ours."""

import json

import pytest
from structlog.testing import capture_logs

from tests.integration.hostile_clients.harness import request, run_harness

NO_HTTP = {
    "not_http": [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"EHLO example.com\r\n\r\n",
        b"GET /open HTTP/9\r\n\r\n",
        b"GET /open HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /open HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n",
        b"GET /open HTTP/1.1\r\nX: \x00\r\n\r\n",
        b"POST /post HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /post HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /post HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    "head_too_large": [
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /open HTTP/1.1\r\nX: " + b"a" * 9_000 + b"\r\n\r\n",
        b"GET /open HTTP/1.1\r\n" + b"a" * 9_000 + b": x\r\n\r\n",
    ],
    "unknown_expectation": [
        b"GET /open HTTP/1.1\r\nHost: localhost\r\nExpect: rain\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: \xff\xed\xa0\x80\r\n\r\n",
        b"POST /post HTTP/1.1\r\nHost: localhost\r\nExpect: \xc3\xa9\r\nContent-Length: 1\r\n\r\na",
    ],
}
CASES = [(code, data) for code, each in NO_HTTP.items() for data in each]


@pytest.mark.parametrize(("code", "data"), CASES)
async def test_the_answer_says_what_is_wrong_and_does_not_repeat_it(code: str, data: bytes) -> None:
    async with run_harness() as harness:
        with capture_logs() as log:
            socket = await harness.connect(data)
            head = await socket.reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            answer = json.loads(await socket.reader.readexactly(int(length.partition(b":")[2])))
        assert head.split()[1] == (b"417" if code == "unknown_expectation" else b"400")
        assert b"application/json" in head
        assert answer["error"]["code"] == code
        assert set(answer["error"]) == {"code", "message"}
        assert log == []
        assert await harness.get() == 200


@pytest.mark.parametrize("expected", ["100-continue", "100-Continue"])
async def test_what_can_be_expected_comes(expected: str) -> None:
    async with run_harness() as harness:
        socket = await harness.connect(request("POST", "/post", f"Expect: {expected}", "Content-Length: 1"))
        assert await socket.status() == 100
        await socket.send(b"a")
        assert await socket.status() == 200
