"""The HTTP side alone, with small bounds, and what a stranger speaks to it with: a bare socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web

from email_consumer.core.metrics import Metrics
from email_consumer.web.app import create_app
from email_consumer.web.bodies import BODIES, RequestBodies
from email_consumer.web.connections import ConnectionLimits, Connections
from email_consumer.web.routing import operation, read_bytes
from email_consumer.web.server import Server
from email_consumer.web.wrong_keys import WrongKeys

KEY = "a-key-of-sixteen"
ANONYMOUS_BODY = 2**16
LONG = 60.0
PATIENT = ConnectionLimits(head=LONG, idle=LONG, rest=LONG, writing=LONG)
"""Nothing times out; a test shortens what it is about."""


class Socket:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """As far as the other side takes it."""
        self.writer.write(data)
        await self.writer.drain()

    async def status(self) -> int:
        """Of the next answer, which is read to its end; 0 where the connection is closed instead."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        lines = head.decode().lower().split("\r\n")
        length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
        await self.reader.readexactly(length)
        return int(lines[0].split()[1])

    async def closed(self) -> None:
        """Wait until the other side has closed it."""
        try:
            while await self.reader.read(2**16):
                pass
        except ConnectionError:
            pass

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class HttpHarness:
    server: Server
    connections: Connections
    bodies: RequestBodies
    metrics: Metrics
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """What `/wait` waits for."""
    answered: list[str] = field(default_factory=list)
    sockets: list[Socket] = field(default_factory=list)

    async def connect(self, data: bytes = b"") -> Socket:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        socket = Socket(reader, writer)
        self.sockets.append(socket)
        if data:
            await socket.send(data)
        return socket

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the server go on until it is so."""
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)

    async def get(self, path: str = "/open", *headers: str) -> int:
        """On a separate connection, as a well-behaved client."""
        socket = await self.connect(request("GET", path, *headers))
        try:
            return await socket.status()
        finally:
            socket.close()

    async def post(self, body: bytes, path: str = "/post") -> int:
        socket = await self.connect(request("POST", path, f"Content-Length: {len(body)}") + body)
        try:
            return await socket.status()
        finally:
            socket.close()


def request(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


@asynccontextmanager
async def run_harness(most: int = 100, pause: float = LONG, **patience: float) -> AsyncIterator[HttpHarness]:
    """`most` connections; `pause` after many wrong keys; `patience` in place of a minute for everything."""
    answered: list[str] = []
    go_on = asyncio.Event()

    @operation("Open", open_to_all=True)
    async def open_(request: web.Request) -> web.Response:
        answered.append(request.query_string)
        return web.Response(text="ok")

    @operation("Waits", open_to_all=True)
    async def wait(_request: web.Request) -> web.Response:
        await go_on.wait()
        return web.Response(text="ok")

    @operation("Large", open_to_all=True)
    async def large(_request: web.Request) -> web.Response:
        return web.Response(body=bytes(2**24))

    @operation("Takes a body of strangers", open_to_all=True)
    async def post(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await read_bytes(request, at_most=ANONYMOUS_BODY))))

    @operation("Takes a body of those with a key")
    async def known(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await read_bytes(request))))

    @operation("Broken", open_to_all=True)
    async def broken(_request: web.Request) -> web.Response:
        raise KeyError("something private")

    routes = [
        web.get("/broken", broken),
        web.get("/open", open_),
        web.get("/wait", wait),
        web.get("/large", large),
        web.post("/post", post),
        web.post("/known", known),
        web.get("/known", known),
    ]
    metrics = Metrics()
    app = create_app(routes, [KEY], version="1", wrong_keys=WrongKeys(metrics, pause=pause))
    connections = Connections(most, metrics, replace(PATIENT, **patience))  # type: ignore[arg-type]
    async with Server(app, 0, host="127.0.0.1", connections=connections) as server:
        harness = HttpHarness(server, connections, app[BODIES], metrics, go_on, answered)
        try:
            yield harness
        finally:
            go_on.set()
            for socket in harness.sockets:
                socket.close()
