"""Requests to the byte, as no well-behaved client would send them."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_AT_ONCE = 64
_STREAM = b"text/event-stream"


@dataclass(frozen=True)
class Answer:
    status: int
    """0: closed without a word."""
    head: bytes = b""
    body: bytes = b""

    @property
    def error(self) -> Any:
        """What the JSON of an error says, which has one shape."""
        assert b"application/json" in self.head, (self.head, self.body)
        document = json.loads(self.body)
        assert set(document) == {"error"}
        assert {"code", "message"} <= set(document["error"]) <= {"code", "message", "fields", "refused", "waiting"}, (
            document
        )
        return document["error"]


def request(method: bytes, target: bytes, headers: Iterable[bytes] = (), body: bytes = b"") -> bytes:
    """With the length of the body, unless a header frames it."""
    headers = list(headers)
    named = {header.partition(b":")[0].strip().lower() for header in headers}
    if body and not named & {b"content-length", b"transfer-encoding"}:
        headers.append(b"Content-Length: %d" % len(body))
    if b"host" not in named:
        headers.append(b"Host: localhost")
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Connection: close", *headers, b"", b""]) + body


async def exchange(port: int, data: bytes) -> Answer:
    """On a separate connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        body = b"" if _STREAM in head else await reader.read()
        return Answer(int(head.split()[1]), head, body)
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0)
    finally:
        writer.transport.abort()


async def exchange_all(port: int, requests: Sequence[bytes]) -> list[Answer]:
    """Many at once; the answers in the order of the requests."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(data: bytes) -> Answer:
        async with turns:
            return await exchange(port, data)

    async with asyncio.timeout(300):
        return await asyncio.gather(*map(one, requests))
