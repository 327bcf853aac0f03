"""HTTP between the world and a process: the real server of the program, without sockets."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.simulation.process import Process


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read whole."""

    status: int
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class _Transport(asyncio.Transport):
    """The connection of one request."""

    def __init__(self, process: Process, answered: Callable[[Response | None], object]) -> None:
        super().__init__({"peername": ("192.0.2.1", 4000), "sockname": ("192.0.2.2", 3000)})
        self._process = process
        self._answered = answered
        self._received = bytearray()
        self.protocol: asyncio.BufferedProtocol | None = None
        self._closed = False
        process.on_kill.append(self._lost)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._received += data
        head, separator, body = bytes(self._received).partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.decode().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:"))
        if len(body) >= length:
            self._answer(Response(int(lines[0].split()[1]), body[:length]))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def _answer(self, response: Response | None) -> None:
        answered, self._answered = self._answered, lambda _: None
        answered(response)
        if response:
            self._process.call(self.close)

    def _lost(self) -> None:
        self._closed = True
        self._answer(None)

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            assert self.protocol is not None
            self._process.call(self.protocol.connection_lost, None)
            self._answer(None)

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing waits here."""

    def pause_reading(self) -> None:
        """The whole request was delivered."""

    def resume_reading(self) -> None:
        """The whole request was delivered."""

    def is_reading(self) -> bool:
        return True

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.BufferedProtocol)
        self.protocol = protocol


def request(
    process: Process,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    answered: Callable[[Response | None], object] = lambda _: None,
    port: int = 3000,
) -> None:
    """Send a request; `answered` gets the response, or None if the connection fails or the process dies before it."""
    factory = process.listening.get(port)
    if factory is None or not process.alive:
        answered(None)
        return
    payload = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else b""
    fields = {"Host": "sidecar:3000", "Content-Type": "application/json", "Content-Length": str(len(payload))}
    lines = [
        f"{method} {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in (fields | dict(headers or {})).items()),
    ]
    data = "\r\n".join(lines).encode() + b"\r\n\r\n" + payload
    transport = _Transport(process, answered)

    def connect() -> None:
        transport.protocol = factory()
        transport.protocol.connection_made(transport)
        _feed(transport.protocol, data)

    process.call(connect)


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
