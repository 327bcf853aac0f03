"""The listening socket of the application."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from email_consumer.core.metrics import Metrics
from email_consumer.web.connections import Connection, Connections

_STOP_TIMEOUT = 3.0
"""Seconds for requests in progress to finish at shutdown."""
MOST_CONNECTIONS = 512
_BACKLOG = 128
_MOST_HEADERS = 100

_OF_STRANGERS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)


def _is_ours(record: logging.LogRecord) -> bool:
    """False for what aiohttp logs about malformed or aborted requests: nothing we could fix."""
    return not (record.exc_info and isinstance(record.exc_info[1], _OF_STRANGERS))


_protocol_log = logging.getLogger(f"{__name__}.protocol")
"""Errors of handlers are logged by `ErrorResponses`; this logger gets the errors of aiohttp itself."""
_protocol_log.addFilter(_is_ours)


class _Site(web.BaseSite):
    """A listening socket whose connections are `Connection`s."""

    def __init__(self, runner: web.AppRunner, accept: Callable[[], Connection], host: str | None, port: int) -> None:
        super().__init__(runner, backlog=_BACKLOG)
        self._accept = accept
        self._address = host, port

    @property
    def name(self) -> str:
        return "{}:{}".format(*self._address)

    async def start(self) -> None:
        await super().start()
        host, port = self._address
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port, backlog=self._backlog)


class Server:
    """`async with Server(app, port) as server:` serves until the block ends. Stopping twice is allowed."""

    def __init__(
        self, app: web.Application, port: int, *, host: str | None = None, connections: Connections | None = None
    ) -> None:
        """Port 0 picks a free one; `host` None listens on all interfaces."""
        self._connections = Connections(MOST_CONNECTIONS, Metrics()) if connections is None else connections
        self._options: dict[str, Any] = {
            "access_log": None,
            "logger": _protocol_log,
            "auto_decompress": False,  # compressed bodies are refused (see `read_bytes`)
            "keepalive_timeout": self._connections.limits.idle,
            "max_headers": _MOST_HEADERS,
        }
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_STOP_TIMEOUT, **self._options)
        # With port 0, each address family would get a different port.
        self._host = host or ("0.0.0.0" if port == 0 else None)  # noqa: S104 - SNS must reach it
        self._port = port

    @property
    def port(self) -> int:
        """The actual port."""
        return int(self._runner.addresses[0][1]) if self._runner.addresses else self._port

    @property
    def address(self) -> str:
        """For people."""
        return f"port {self._port}" if self._host is None else f"{self._host}, port {self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        try:
            await _Site(self._runner, self._accept, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise

    async def stop(self) -> None:
        """Accept no more requests; those in progress may finish."""
        with suppress(RuntimeError):  # never started
            await self._runner.cleanup()

    def _accept(self) -> Connection:
        assert self._runner.server  # noqa: S101 - it was set up
        return Connection(self._connections, self._runner.server, **self._options)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
