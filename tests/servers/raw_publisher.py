"""Publishes what no client library would: any bytes as subject and header block, over a plain socket."""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class RawPublisher:
    """`async with RawPublisher(server.url) as raw:`; what was published is stored when `publish` returns."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        await self._reader.readline()
        self._writer.write(b'CONNECT {"verbose":false,"headers":true,"pedantic":false}\r\n')
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def publish(self, subject: bytes, payload: bytes, headers: bytes = b"") -> None:
        """`headers` is the whole block, with its first line and the empty one at the end."""
        if headers:
            head = b"HPUB %s %d %d\r\n" % (subject, len(headers), len(headers) + len(payload))
        else:
            head = b"PUB %s %d\r\n" % (subject, len(payload))
        self._writer.write(head + headers + payload + b"\r\nPING\r\n")
        while (line := await self._reader.readline()) != b"PONG\r\n":
            if line.startswith(b"-ERR") or not line:
                raise ConnectionError(f"the server refuses it: {line!r}")
