"""The program's client over nats-py with the socket taken out: messages travel as objects over a `Link`.

All that its callers see is nats-py's own code: buffering while disconnected, reconnecting, pings, subscriptions and their
tasks, requests, draining, closing. Only reading and writing of the protocol are replaced.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from nats import errors
from nats.aio.client import _HEADER_KEY_RE, _HEADER_VALUE_NEWLINES, Srv, _logger
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg

from email_consumer.jetstream.client import SteadyClient
from tests.simulation.jetstream.link import Link
from tests.simulation.jetstream.message import header_length
from tests.simulation.jetstream.server import Connection
from tests.simulation.jetstream.wire import Wire

Headers = dict[str, str]

_TOKEN_AT = len("_INBOX.") + 22 + 1
"""Where the subject of an answer names its request."""
_AROUND = 32
"""Bytes of a message's framing, roughly; they only count towards the limit of what is buffered."""


class _Publish:
    """A message that waits to be written."""

    __slots__ = ("arguments", "size")

    def __init__(self, subject: str, reply: str, payload: bytes, headers: Headers | None) -> None:
        self.arguments = (subject, reply, payload, headers)
        self.size = len(subject) + len(reply) + len(payload) + header_length(headers) + _AROUND

    def __len__(self) -> int:
        return self.size


class _Transport:
    """What nats-py's client writes to, and what it reads from."""

    def __init__(self, wire: Wire | None = None) -> None:
        self.wire = wire
        self.arrived: deque[list[Any]] = deque()
        self.ended = False
        self._reader: asyncio.Future[None] | None = None

    # Called by the network

    def received(self, items: list[Any]) -> None:
        self.arrived.append(items)
        self._wake()

    def lost(self) -> None:
        self.ended = True
        self._wake()

    # Called by the client

    async def readable(self) -> None:
        """Wait until something has arrived, or the connection ended."""
        if not self.arrived and not self.ended:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader

    def write(self, command: bytes) -> None:
        """Carry out a command of the protocol."""
        operation, *words = command.decode().split()
        if not self.wire:
            return
        match operation, words:
            case "SUB", [subject, sid]:
                self.wire.to_server(Connection.subscribed, int(sid), subject)
            case "UNSUB", [sid]:
                self.wire.to_server(Connection.unsubscribed, int(sid))
            case "UNSUB", [sid, left]:
                self.wire.to_server(Connection.unsubscribed, int(sid), int(left))
            case "PING", []:
                self.wire.to_server(Connection.pinged)
            case _:
                raise NotImplementedError(command)

    def writelines(self, commands: list[_Publish | bytes]) -> None:
        for command in commands:
            if isinstance(command, _Publish):
                if self.wire:
                    self.wire.to_server(Connection.published, *command.arguments)
            else:
                self.write(command)

    async def drain(self) -> None:
        """Nothing waits to be written."""

    def close(self) -> None:
        if self.wire:
            self.wire.close()

    async def wait_closed(self) -> None:
        """Closed at once."""

    def _wake(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)


class SimulatedClient(SteadyClient):
    """Made like the program's own client, but for the link; `connect` takes what that takes."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._resp_map: dict[str, asyncio.Future[Msg]] = {}

    async def _connect_to_server(self, s: Srv) -> None:
        s.last_attempt = time.monotonic()
        loop, transport = asyncio.get_running_loop(), _Transport()
        dialled: asyncio.Future[Wire] = loop.create_future()

        def answered(result: Wire | OSError) -> None:
            if isinstance(result, OSError):
                if not dialled.done():
                    dialled.set_exception(result)
            elif dialled.done():
                result.close()
            else:
                dialled.set_result(result)

        self._link.dial(transport, answered)
        transport.wire = await asyncio.wait_for(dialled, self.options["connect_timeout"])
        self._transport = transport  # type: ignore[assignment]

    async def _process_connect_init(self) -> None:
        assert self._current_server is not None
        self._status = NatsClient.CONNECTING
        self._server_info = self._link.server.info
        self._current_server.server_version = self._server_info["version"]
        self._max_payload = self._server_info["max_payload"]
        self._client_id = self._server_info["client_id"]
        self._status = NatsClient.CONNECTED
        loop = asyncio.get_running_loop()
        self._reading_task = loop.create_task(self._read_loop())
        self._pongs = []
        self._pings_outstanding = 0
        self._ping_interval_task = loop.create_task(self._ping_interval())
        self._flusher_task = loop.create_task(self._flusher())

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: Headers | None
    ) -> None:
        if not subject:
            raise errors.BadSubjectError
        written = _as_written(headers) if headers else None
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        command: Any = _Publish(subject, reply, bytes(payload), written)
        if self._status == NatsClient.CONNECTED and not self._pending and self._transport:
            self._transport.writelines([command])  # right away instead of by the flusher, which would be next
            return
        await self._send_command(command)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    def _command(self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str]) -> bytes:
        written = _as_written(dict(headers)) if headers else None
        return _Publish(subject, reply, payload, written)  # type: ignore[return-value]

    async def _read_loop(self) -> None:
        transport: Any = self._transport
        try:
            while not (self.is_closed or self.is_reconnecting):
                if not transport.arrived and transport.ended:
                    error = errors.UnexpectedEOF()
                    await self._error_cb(error)
                    await self._process_op_err(error)
                    return
                await transport.readable()
                while transport.arrived:
                    for item in transport.arrived.popleft():
                        if item is None:
                            await self._process_pong()
                        elif future := self._resp_map.get(item[1][_TOKEN_AT:]):
                            if not future.done():  # the next turn's task of nats-py's subscription to all answers
                                future.set_result(self._build_message(*item))
                        else:
                            await self._process_msg(*item)
        except asyncio.CancelledError:
            return
        except Exception as error:  # noqa: BLE001 - nats-py hears nothing any more then, until its pings fail
            _logger.error("nats: encountered error", exc_info=error)

    async def _process_headers(self, headers: Any) -> Headers | None:
        return dict(headers) if headers else None

    def _build_message(self, sid: int, subject: Any, reply: Any, data: bytes, headers: Headers | None) -> Msg:
        headers = dict(headers) if headers else None
        return self.msg_class(subject=subject, reply=reply, data=data, headers=headers, _client=self, _sid=sid)


def _as_written(headers: Headers) -> Headers | None:
    """The headers as their reader sees them.

    Raises:
        nats.errors.BadHeaderError: a name that can't be written.
    """
    written: Headers = {}
    for name, value in headers.items():
        key = name.strip()
        if not key:
            continue
        if not _HEADER_KEY_RE.fullmatch(key):
            raise errors.BadHeaderError(key)
        written[key] = value.strip().translate(_HEADER_VALUE_NEWLINES)
    return written or None
