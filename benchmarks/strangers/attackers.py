"""Those who mean harm: connections that are opened again and again, and messages that hold a million values."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic

import aiohttp
from nats.js import JetStreamContext

from benchmarks.mails import SUBJECT
from email_consumer.runtime.tasks import end
from tests.bombs import BOMBS, REQUESTS

_PAUSE = 5.0
"""Seconds until a connection that was closed is opened again."""
_DRIP = 0.5
_CHUNK = b"1000\r\n" + bytes(4_096) + b"\r\n"
_POST = b"POST /v1/events/results HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"


Manners = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def _idle(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _slow_head(writer: asyncio.StreamWriter) -> None:
    await _drip(writer, b"GET /health HTTP/1.1\r\nX-Slow: ", b"a")


async def _slow_body(writer: asyncio.StreamWriter) -> None:
    await _drip(writer, _POST + b"Content-Length: 16000\r\n\r\n" + bytes(8_000), b"a")


async def _endless(writer: asyncio.StreamWriter) -> None:
    await _drip(writer, _POST + b"Transfer-Encoding: chunked\r\n\r\n", _CHUNK, 0.02)


async def _drip(writer: asyncio.StreamWriter, head: bytes, piece: bytes, wait: float = _DRIP) -> None:
    writer.write(head)
    while True:
        await writer.drain()
        await asyncio.sleep(wait)
        writer.write(piece)


KINDS: tuple[Manners, ...] = (_idle, _slow_head, _slow_body, _endless)


class Crowd:
    """`connections` of them, a quarter of each kind, until cancelled."""

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._connections = connections
        self.opened = 0

    async def attack(self) -> None:
        tasks = [
            asyncio.create_task(self._again_and_again(manners, number / self._connections))
            for number, manners in zip(range(self._connections), itertools.cycle(KINDS), strict=False)
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            await end(*tasks)  # more than once where a cancellation is swallowed

    async def _again_and_again(self, manners: Manners, begin: float) -> None:
        await asyncio.sleep(begin * _PAUSE)
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                self.opened += 1
                await _until_closed(reader, writer, manners)
            await asyncio.sleep(_PAUSE)


async def _until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, manners: Manners) -> None:
    harm = asyncio.ensure_future(manners(writer))
    try:
        while await reader.read(2**16):
            pass
    finally:
        harm.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await harm
        writer.transport.abort()


class Bombs:
    """All of them, one after the other, over the stream and over the API."""

    def __init__(self, stream: JetStreamContext, url: str, key: str) -> None:
        self._stream = stream
        self._url = url
        self._headers = {"X-API-KEY": key, "Content-Type": "application/json"}
        self.thrown: list[tuple[float, str]] = []
        """When, by the machine's monotonic clock, and which."""
        self.not_refused: list[str] = []

    async def throw(self, seconds: float) -> None:
        """Spread over so many seconds."""
        bombs = [*BOMBS.items(), *((f"API: {name}", body) for name, body in REQUESTS.items())]
        async with aiohttp.ClientSession(headers=self._headers) as session:
            for name, bomb in bombs:
                self.thrown.append((monotonic(), name))
                if name.startswith("API: "):
                    async with session.post(self._url, data=bomb()) as response:
                        if response.status not in {400, 413, 422}:
                            self.not_refused.append(f"{name}: {response.status}")
                else:
                    await self._stream.publish(SUBJECT, bomb())
                await asyncio.sleep(seconds / len(bombs))

    def before(self, moment: float) -> str:
        """The last one that was thrown."""
        return next((name for at, name in reversed(self.thrown) if at <= moment), "")
