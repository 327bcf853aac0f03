"""A server that does exactly what it is told with each connection: what no well-behaved HTTP server would do."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SUCCESS = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"MessageId":"42"}'

Script = Callable[["Connection"], Awaitable[None]]


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "RawServer"

    async def request(self) -> bytes:
        """Read one whole request; its head."""
        self.server.settled.set()
        head = await self.reader.readuntil(b"\r\n\r\n")
        _, found, rest = head.lower().partition(b"content-length:")
        await self.reader.readexactly(int(rest.split()[0]) if found else 0)
        self.server.requests.append(head)
        self.server.settled.clear()
        return head

    async def answer(self, response: bytes = SUCCESS) -> None:
        if self.writer.transport.is_closing():  # uvloop raises RuntimeError for it
            raise ConnectionResetError
        self.writer.write(response)
        await self.writer.drain()

    async def ignore(self) -> None:
        """Say no more, until the client closes the connection."""
        self.server.settled.set()
        await self.reader.read()

    async def forward(self, url: str) -> None:
        """Be a tunnel to the server there, until either end closes it."""
        there = urlsplit(url)
        reader, writer = await asyncio.open_connection(there.hostname, there.port)
        ways = {asyncio.create_task(_copy(self.reader, writer)), asyncio.create_task(_copy(reader, self.writer))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writer.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    def reset(self) -> None:
        self.writer.transport.abort()


@dataclass
class RawServer:
    script: Script
    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the script of a connection has ended and the connection is closed."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever a script has said all that it has to say to a request, or its connection is closed."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # Cancelled with the test, a script that still waits is no error.
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self.script(Connection(reader, writer, self))
        with suppress(ConnectionError, ssl.SSLError):
            writer.close()
            await writer.wait_closed()
        self.closed.set()
        self.settled.set()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def raw_server(
    script: Script, tls: ssl.SSLContext | None = None, bound: socket.socket | None = None
) -> AsyncIterator[RawServer]:
    """Serve until the block ends, on the socket given or a free port of loopback; what still runs then is cancelled."""
    raw = RawServer(script)
    bound = bound or socket.create_server(("127.0.0.1", 0))
    raw.url = url_of(bound, "https" if tls else "http")
    async with await asyncio.start_server(raw.serve, sock=bound, ssl=tls) as server:
        yield raw
        server.close()


def url_of(bound: socket.socket, scheme: str) -> str:
    host, port = bound.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
