"""The listening socket of the application."""

import logging
from contextlib import suppress
from typing import Self

from aiohttp import web

_STOP_TIMEOUT = 3.0
"""Seconds that requests under way get at the end."""

# What a handler fails with is logged by `faults_as_json`; what is left is what strangers send that is no HTTP, and
# they must not be able to fill the log with it.
_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.CRITICAL)


class Server:
    """`async with Server(app, port) as server:` serves until the block ends. Stopping twice is no error."""

    def __init__(self, app: web.Application, port: int, *, host: str | None = None) -> None:
        """Port 0 takes a free one; `host` None listens on all interfaces."""
        # What is compressed is refused (see `read_bytes`), so nothing needs to be unpacked.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_protocol_log,
            handle_signals=False,
            shutdown_timeout=_STOP_TIMEOUT,
            auto_decompress=False,
        )
        # With port 0 each address family would get a port of its own.
        self._host = host or ("0.0.0.0" if port == 0 else None)  # noqa: S104 - SNS must reach it
        self._port = port

    @property
    def port(self) -> int:
        """The one that is listened on."""
        return int(self._runner.addresses[0][1]) if self._runner.addresses else self._port

    @property
    def address(self) -> str:
        """For a person."""
        return f"port {self._port}" if self._host is None else f"{self._host}, port {self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise

    async def stop(self) -> None:
        """Take no more requests; those under way may finish."""
        with suppress(RuntimeError):  # never started
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
